"""Where the server is, is for the log and for the process itself: no client of any kind is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines import Engine
from tests.processes import daebus

from daebus import Action, Bus, Daebus, DaebusHttp, DaebusWebSocket
from daebus.errors import Unavailable
from daebus.testing import running

from .world import told

AWAY = "The Redis server that is needed for this is not available now. Trying again may help."
ELSEWHERE = Action[None, int]("count", service="elsewhere")
RELAY = Action[None, int]("relay", service="gateway")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine") as engine:
        yield engine


def gateway(url: str) -> Daebus:
    """A service that asks another one, whose server is at `url`."""
    app = Daebus("gateway")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())
    other = Bus(url)

    @app.on_start()
    async def connect() -> None:
        await other.__aenter__()

    @app.on_stop()
    async def disconnect() -> None:
        await other.__aexit__()

    @app.action(RELAY)
    async def relay() -> int:
        return await other.call(ELSEWHERE)

    @app.route("/relayed")
    async def http_relay() -> int:
        return await other.call(ELSEWHERE)

    @app.socket("relay")
    async def socket_relay() -> int:
        return await other.call(ELSEWHERE)

    return app


async def test_no_client_is_told_where_the_server_is_and_the_log_is(engine: Engine) -> None:
    address = f"127.0.0.1:{engine.port}"
    async with running(gateway(engine.tcp_url)) as service, service.socket() as socket:
        engine.kill()
        with told() as lines:
            over_http = await service.http.get("/relayed", headers={"X-Request-ID": "asked-over-http"})
            over_socket = await socket.ask("relay")
            with pytest.raises(Unavailable) as over_bus:
                await service.call(RELAY)
        engine.start()
    answers = over_http.text, bytes(over_socket.data).decode(), str(over_bus.value)
    assert over_http.status_code == 503
    assert all(AWAY in answer for answer in answers), answers
    assert not [answer for answer in answers if str(engine.port) in answer]
    of_handlers = [line for line in lines if "redis is not available" in line]
    assert len(of_handlers) == 3
    assert all(address in line for line in of_handlers)
    assert "asked-over-http" in of_handlers[0]


async def test_the_process_itself_is_told_where_the_server_is(engine: Engine) -> None:
    async with Bus(engine.tcp_url) as bus:
        engine.kill()
        with pytest.raises(Unavailable, match=f"127.0.0.1:{engine.port}"):
            await bus.call(ELSEWHERE)
        engine.start()


async def test_so_is_the_command_line(engine: Engine) -> None:
    outcome = await daebus("call", "elsewhere", "count", redis_url="redis://127.0.0.1:1")
    assert "127.0.0.1:1" in outcome.errors
