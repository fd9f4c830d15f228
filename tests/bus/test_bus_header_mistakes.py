"""Wrong headers: those that a service sends itself, and those of its clients that it passes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from daebus import Action, Bus, Context, Daebus, DaebusHttp
from daebus.errors import ConfigurationError, Internal
from daebus.protocol.headers import MAX_HEADERS, MAX_HEADERS_SIZE
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

ECHO = Action[None, dict[str, str]]("echo", service="echoing")
ASK = Action[dict[str, str], dict[str, str]]("ask", service="asking")

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def echoing() -> Daebus:
    app = Daebus("echoing")

    @app.action(ECHO)
    async def echo(context: Context) -> dict[str, str]:
        return {**context.headers, "id": context.request_id}

    return app


def asking() -> Daebus:
    """Calls `ECHO` with the headers that it is told."""
    app = Daebus("asking")
    app.attach(DaebusHttp(port=0))

    @app.action(ASK)
    async def ask(named: dict[str, str], *, bus: Bus) -> dict[str, str]:
        return await bus.call(ECHO, headers=named or None)

    @app.route("/ask", methods=["POST"])
    async def over_http(data: dict[str, str], *, bus: Bus) -> dict[str, str]:
        return await bus.call(ECHO, headers=data or None)

    @app.route("/own")
    async def own(context: Context) -> dict[str, str]:
        return {**context.headers, "id": context.request_id}

    return app


OWN = [
    ({"x tenant": "a"}, "'x tenant' is not a valid name of a header"),
    ({"x-tenant": "a\nb"}, "`x-tenant` has control characters"),
    ({"A": "1", "a": "2"}, "`a` is given twice"),
    ({"a": "x" * MAX_HEADERS_SIZE}, "16385 bytes; at most 16384"),
    ({f"a{number}": "" for number in range(MAX_HEADERS + 1)}, "65 headers; at most 64"),
]


@pytest.mark.parametrize(("headers", "told"), OWN, ids=[told for _, told in OWN])
class TestOfTheServiceItself:
    async def test_one_is_an_internal_error_for_its_client_and_the_log_has_the_mistake(
        self, headers: dict[str, str], told: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.ERROR)
        async with running(echoing()), running(asking()) as service:
            with pytest.raises(Internal) as caught:
                await service.call(ASK, headers)
            response = await service.http.post("/ask", json=headers)
        assert told not in str(caught.value)
        assert (response.status_code, response.json()["code"]) == (500, "internal")
        failed = [record for record in caplog.records if record.getMessage().startswith("handler failed")]
        assert len(failed) == 2
        for record in failed:
            shown = str(record.exc_info[1]) if record.exc_info else str(vars(record))
            assert told in shown

    async def test_one_is_a_configuration_error_for_a_script(self, headers: dict[str, str], told: str) -> None:
        async with Bus(private_redis_url()) as bus:
            with pytest.raises(ConfigurationError, match=told):
                await bus.call(ECHO, headers=headers)


MALFORMED = (
    "nonsense",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",  # no flags
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",  # upper case
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    f"{TRACEPARENT}-more",  # version 00 has no more fields
    f"{TRACEPARENT}, {TRACEPARENT}",
)


class TestOfClients:
    @pytest.mark.parametrize("malformed", MALFORMED)
    async def test_a_malformed_traceparent_is_not_passed_on_nor_is_its_tracestate(self, malformed: str) -> None:
        sent = {"traceparent": malformed, "tracestate": "vendor=1", "baggage": "tenant=acme"}
        async with running(echoing()), running(asking()) as service:
            found = (await service.http.post("/ask", json={}, headers=sent)).json()
            over_the_bus = await service.call(ASK, {}, headers=sent)
        assert found.pop("id")
        assert over_the_bus.pop("id")
        assert found == over_the_bus == {"baggage": "tenant=acme"}

    @pytest.mark.parametrize("valid", [TRACEPARENT, f"cc-{TRACEPARENT[3:]}-what-later-versions-add"])
    async def test_a_valid_traceparent_is_passed_on(self, valid: str) -> None:
        sent = {"traceparent": valid, "tracestate": "vendor=1"}
        async with running(echoing()), running(asking()) as service:
            found = await service.call(ASK, {}, headers=sent)
        assert (found["traceparent"], found["tracestate"]) == (valid, "vendor=1")

    @pytest.mark.parametrize("malformed", ["a b", "x" * 129, ""])
    async def test_a_malformed_request_id_is_replaced(self, malformed: str) -> None:
        async with running(echoing()), running(asking()) as service:
            response = await service.http.post("/ask", json={}, headers={"x-request-id": malformed})
        found: Mapping[str, str] = response.json()
        fresh = response.headers["x-request-id"]
        assert fresh != malformed
        assert found == {"x-request-id": fresh, "id": fresh}


class TestOfHttp:
    async def test_the_request_id_is_always_in_the_context_and_its_header_only_if_the_client_sent_it(self) -> None:
        async with running(asking()) as service:
            response = await service.http.get("/own")
            given = (await service.http.get("/own", headers={"x-request-id": "r-7"})).json()
        own = response.json()
        assert "x-request-id" not in own
        assert own["id"] == response.headers["x-request-id"]
        assert (given["x-request-id"], given["id"]) == ("r-7", "r-7")

    async def test_each_byte_of_a_value_is_one_character(self) -> None:
        name = "Müller €"
        async with running(asking()) as service:
            own = (await service.http.get("/own", headers={b"x-name": name.encode()})).json()
        assert own["x-name"] != name
        assert own["x-name"].encode("latin-1").decode() == name
