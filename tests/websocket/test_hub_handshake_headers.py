"""The headers of a WebSocket's handshake, as the test client sends them."""

from __future__ import annotations

import pytest

from daebus import Context, Daebus, DaebusHttp, DaebusWebSocket
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


async def test_a_test_client_sends_headers_and_shows_the_answer() -> None:
    app = Daebus("greeting")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.socket("who")
    async def who(context: Context) -> dict[str, str]:
        return {"tenant": context.headers["x-tenant"]}

    async with running(app) as service, service.socket(headers={"X-Tenant": "acme"}, token="t") as socket:
        answer = await socket.ask("who")
    assert 'data={"tenant":"acme"}' in repr(answer)
