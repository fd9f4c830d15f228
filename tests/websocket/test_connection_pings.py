"""A client that does not answer pings is disconnected, and one that does is not, on each event loop."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from tests.processes import launched
from tests.support import until
from websockets.asyncio.client import connect

SERVICE = """
import sys
from daebus import Daebus, DaebusWebSocket

app = Daebus("echo")
app.attach(DaebusWebSocket(port=0, ping_interval=0.2))

@app.socket("echo")
async def echo(data: int) -> int:
    return data

@app.socket("loop")
async def loop() -> str:
    import asyncio
    return type(asyncio.get_running_loop()).__module__

app.run(loop=sys.argv[1])
"""

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = 0x89


@pytest.mark.parametrize(("loop", "module"), [("asyncio", "asyncio"), ("uvloop", "uvloop")])
async def test_a_client_that_does_not_answer_pings_is_disconnected(
    tmp_path: Path, daebus_redis_url: str, loop: str, module: str
) -> None:
    program = tmp_path / "service.py"
    program.write_text(SERVICE)
    with launched(sys.executable, str(program), loop, DAEBUS_REDIS_URL=daebus_redis_url) as service:
        port = service.wait_for("listening", protocol="websocket")["port"]
        assert isinstance(port, int)
        service.wait_for("service started")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with connect(f"ws://127.0.0.1:{port}/ws", ping_interval=None) as alive:
            writer.write(HANDSHAKE)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
            assert (await asyncio.wait_for(reader.readexactly(1), 10))[0] == PING
            with suppress(ConnectionError):
                await asyncio.wait_for(reader.read(-1), 10)  # until the server closes it
            writer.transport.abort()
            await until(lambda: "it was silent for too long" in service.text())
            await alive.send('{"type": "loop", "id": 1}')
            answer = msgspec.json.decode(await asyncio.wait_for(alive.recv(), 10))
            assert answer["data"].startswith(module)
        assert service.stop() == 0
