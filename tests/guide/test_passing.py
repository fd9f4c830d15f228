"""What docs/guide.md promises of an interceptor that adds a header to what a service sends."""

import pytest
from tests.guide.passing import PRICES, app, catalogue

from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


async def test_the_header_of_the_incoming_message_is_sent_on_unless_the_handler_sends_its_own() -> None:
    async with running(catalogue), running(app) as service:
        tenant = {"X-Tenant": "blue"}
        assert (await service.http.get("/prices", headers=tenant)).text == "prices for blue"
        assert (await service.http.get("/prices")).text == "prices for everybody"
        assert (await service.http.get("/prices/own", headers=tenant)).text == "prices for own"
        assert await service.call(PRICES) == "prices for everybody"  # outside of a handler there is no context
