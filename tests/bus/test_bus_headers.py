"""Headers of the bus: what a caller sends, what a handler reads, and what passes on from message to message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, BlockingBus, Bus, Channel, Context, Daebus, DaebusHttp, StreamAction
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.errors import ConfigurationError, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.protocol.headers import MAX_HEADERS, MAX_HEADERS_SIZE
from daebus.testing import RunningService, private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

LOOK = Action[str, dict[str, str]]("look", service="mirror")
LOOKS = StreamAction[None, dict[str, str]]("looks", service="mirror")
NOTE = Action[str, None]("note", service="mirror")
SAID = Channel[str]("said")
KEPT = Channel[str]("kept", durable=True)

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate": "vendor=1",
    "baggage": "tenant=acme",
    "x-request-id": "r-7",
}

Noted = list[tuple[str, Mapping[str, str]]]


def mirror(noted: Noted | None = None, failing: list[str] | None = None) -> Daebus:
    """Replies with the headers that it gets; notes those of what wants no reply."""
    app = Daebus("mirror")
    notes = [] if noted is None else noted

    @app.action(LOOK)
    async def look(key: str, context: Context) -> dict[str, str]:
        return {**context.headers, "id": context.request_id}

    @app.action(LOOKS)
    async def looks(context: Context) -> AsyncIterator[dict[str, str]]:
        yield dict(context.headers)

    @app.action(NOTE, retries=1, backoff=0.01)
    async def note(text: str, context: Context) -> None:
        notes.append((text, context.headers))
        if failing and failing.pop():
            raise Unavailable("not now")

    @app.listen(SAID)
    async def on_said(text: str, context: Context) -> None:
        notes.append((text, {**context.headers, "id": context.request_id}))

    @app.listen(KEPT, retries=1, backoff=0.01)
    async def on_kept(text: str, context: Context) -> None:
        notes.append((text, context.headers))
        if failing and failing.pop():
            raise Unavailable("not now")

    return app


class TestOfRequests:
    async def test_a_handler_reads_what_the_caller_sent_by_names_in_lower_case(self) -> None:
        async with running(mirror()) as service:
            found = await service.call(LOOK, "", headers={"X-Tenant": "acme", "Ümläut".encode().hex(): "ü"})
        found.pop("id")
        assert found == {"x-tenant": "acme", "Ümläut".encode().hex(): "ü"}

    async def test_without_any_nothing_is_on_the_wire(self) -> None:
        async with Bus(private_redis_url()) as bus, raw_redis(private_redis_url()) as redis:
            await bus.send(Action[str, None]("note", service="nobody"), "a", headers={})
            ((_, entry),) = await redis.xrange("daebus:{nobody}:action:note")
        assert "headers" not in msgspec.json.decode(entry[b"request"], type=dict[str, object])

    async def test_streams_have_them(self) -> None:
        async with running(mirror()) as service:
            assert [item async for item in service.stream(LOOKS, headers={"a": "1"})] == [{"a": "1"}]

    async def test_a_script_without_async_sends_them(self) -> None:
        def script() -> list[dict[str, str]]:
            with BlockingBus(private_redis_url()) as bus:
                bus.send(NOTE, "a", headers={"a": "1"})
                bus.publish(SAID, "b", headers={"a": "2"})
                return [bus.call(LOOK, "", headers={"a": "3"}), *bus.stream(LOOKS, headers={"a": "4"})]

        noted: Noted = []
        async with running(mirror(noted)):
            found = await asyncio.to_thread(script)
            await until(lambda: len(noted) == 2)
        assert [headers["a"] for headers in found] == ["3", "4"]
        assert sorted((text, headers["a"]) for text, headers in noted) == [("a", "1"), ("b", "2")]

    @pytest.mark.parametrize(
        ("headers", "told"),
        [
            ([], r"headers=\[\] is not a mapping: write headers=\{'x-tenant': 'acme'\}"),
            ({"x tenant": "a"}, "not a valid name of a header"),
            ({"": "a"}, "not a valid name of a header"),
            ({"x-tenant": "a\r\nb"}, "`x-tenant` has control characters"),
            ({"x-tenant": 7}, "`x-tenant` has a value that is int"),
            ({"A": "1", "a": "2"}, "`a` is given twice"),
            ({"a": "\ud800"}, "`a` has control characters"),
            ({f"a{number}": "" for number in range(MAX_HEADERS + 1)}, "65 headers; at most 64"),
            ({"a": "x" * MAX_HEADERS_SIZE}, "16385 bytes; at most 16384"),
        ],
    )
    async def test_wrong_ones_are_refused_at_the_caller(self, headers: dict[str, str], told: str) -> None:
        async with running(mirror()) as service:
            for asking in (
                service.call(LOOK, "", headers=headers),
                service.send(NOTE, "", headers=headers),
                service.publish(SAID, "", headers=headers),
                service.publish(KEPT, "", headers=headers),
                anext(service.stream(LOOKS, headers=headers)),
            ):
                with pytest.raises(ConfigurationError, match=told):
                    await asking

    @pytest.mark.parametrize(
        "headers", [{"X-Upper": "a"}, {"a": "x\n"}, {"a": 7}, ["a"], {str(n): "" for n in range(65)}]
    )
    async def test_wrong_ones_that_somebody_has_written_make_a_request_none(self, headers: object) -> None:
        async with running(mirror()), raw_redis(private_redis_url()) as redis:
            await redis.delete("daebus:{mirror}:dead")
            request = msgspec.json.encode({"action": "note", "payload": "a", "headers": headers})
            await redis.xadd("daebus:{mirror}:action:note", {"request": request})
            await until(lambda: redis.xlen("daebus:{mirror}:dead"))
            ((_, letter),) = await redis.xrange("daebus:{mirror}:dead")
        assert letter[b"code"] == b"bad_request"
        assert letter[b"request"] == request

    async def test_too_many_bytes_that_somebody_has_written_are_refused(self) -> None:
        async with running(mirror()), raw_redis(private_redis_url()) as redis, redis.pubsub() as pubsub:
            await pubsub.subscribe("daebus:reply:raw")
            await pubsub.get_message(timeout=5)
            request = {"action": "look", "payload": "a", "reply_to": "daebus:reply:raw", "headers": {"a": "x" * 20_000}}
            await redis.xadd("daebus:{mirror}:action:look", {"request": msgspec.json.encode(request)})
            message = await pubsub.get_message(timeout=5)
        assert b"too_large" in message["data"]

    async def test_they_are_kept_when_a_request_is_handled_again(self) -> None:
        noted: Noted = []
        async with running(mirror(noted, ["once"])) as service:
            await service.send(NOTE, "a", headers={"x-tenant": "acme"})
            await until(lambda: len(noted) == 2)
        assert noted == [("a", {"x-tenant": "acme"})] * 2

    async def test_a_parked_request_has_those_of_its_own_once_it_runs(self) -> None:
        app, noted, first = Daebus("parked"), list[str](), asyncio.Event()

        @app.action("note")
        async def note(text: str, context: Context) -> None:
            noted.append(context.headers["n"])
            if len(noted) == 1:
                await first.wait()
                raise RuntimeError

        async with running(app) as service, raw_redis(private_redis_url()) as redis:
            await service.send(note, "a", idempotency_key="k", headers={"n": "1"})
            await until(lambda: noted)
            await service.send(note, "a", idempotency_key="k", headers={"n": "2"})
            await until(lambda: redis.exists("daebus:{parked}:parked:note:k"))
            first.set()
            await until(lambda: len(noted) == 2)
        assert noted == ["1", "2"]


class TestOfEvents:
    async def test_a_plain_channel_carries_them_and_the_event_stays_bare(self) -> None:
        noted: Noted = []
        async with running(mirror(noted)) as service, raw_redis(private_redis_url()) as redis, redis.pubsub() as other:
            await other.subscribe("said")
            await other.get_message(timeout=5)
            await service.publish(SAID, "a", headers={"x-tenant": "acme", "x-request-id": "r-1"})
            await service.publish(SAID, "a")
            await until(lambda: len(noted) == 2)
            assert [(await other.get_message(timeout=5))["data"] for _ in range(2)] == [b'"a"'] * 2
        assert noted[0] == ("a", {"x-tenant": "acme", "x-request-id": "r-1", "id": "r-1"})
        assert set(noted[1][1]) == {"id"}

    async def test_each_event_has_its_own_in_whatever_order_they_come(self) -> None:
        noted: Noted = []
        async with running(mirror(noted)) as service:
            for number in range(50):
                own = {"n": str(number)} if number % 3 else None
                await service.publish(SAID, str(number % 7), headers=own)
            await until(lambda: len(noted) == 50)
        for number, (text, headers) in enumerate(noted):
            assert text == str(number % 7)
            assert headers.get("n") == (str(number) if number % 3 else None)

    async def test_what_is_no_header_does_not_keep_the_event_away(self) -> None:
        noted: Noted = []
        async with running(mirror(noted)), raw_redis(private_redis_url()) as redis:
            for wrong in (b"nonsense", b'{"crc":1,"size":3,"headers":{"A":"b"}}'):
                await redis.publish("daebus:headers:{said}", wrong)
            await redis.publish("said", b'"a"')
            await until(lambda: noted)
        assert set(noted[0][1]) == {"id"}

    async def test_a_durable_channel_carries_them_also_when_an_event_is_handled_again(self) -> None:
        noted: Noted = []
        async with running(mirror(noted, ["once"])) as service:
            await service.publish(KEPT, "a", headers={"x-tenant": "acme"})
            await until(lambda: len(noted) == 2)
            await service.publish(KEPT, "b")
            await until(lambda: len(noted) == 3)
        assert noted == [("a", {"x-tenant": "acme"})] * 2 + [("b", {})]

    async def test_an_event_whose_headers_are_wrong_is_a_dead_letter(self) -> None:
        noted: Noted = []
        async with running(mirror(noted)), raw_redis(private_redis_url()) as redis:
            await redis.delete("daebus:{mirror}:dead")
            for wrong in (b"nonsense", msgspec.json.encode({"a": "x" * 20_000})):
                await redis.xadd("daebus:channel:{kept}", {"event": b'"a"', "headers": wrong})
            await until(lambda: letters(redis, 2))
            codes = {letter[b"code"] for _, letter in await redis.xrange("daebus:{mirror}:dead")}
        assert (codes, noted) == ({b"bad_request", b"too_large"}, [])


class TestOfDeadLetters:
    @pytest.mark.parametrize("kind", ["request", "event"])
    async def test_they_are_shown_and_replayed(self, kind: str) -> None:
        noted: Noted = []
        async with running(mirror(noted, ["twice", "twice"])) as service:
            headers = {"x-tenant": "acme"}
            await (
                service.send(NOTE, "a", headers=headers)
                if kind == "request"
                else service.publish(KEPT, "a", headers=headers)
            )
            async with open_node(RedisServer.from_url(private_redis_url())) as node:
                dead = DeadLetters(node, "mirror")
                await until(lambda: found(dead, headers))
                (letter,) = [letter async for letter in dead.all() if letter.headers == headers]
                assert await dead.replay(letter)
            await until(lambda: len(noted) == 3)
        assert noted == [("a", headers)] * 3


async def found(dead: DeadLetters, headers: Mapping[str, str]) -> bool:
    return any([letter.headers == headers async for letter in dead.all()])


async def letters(redis: Any, count: int) -> bool:
    return bool(await redis.xlen("daebus:{mirror}:dead") == count)


def relay(made: list[RunningService]) -> Daebus:
    """Hands on what it is asked to services that it calls."""
    app = Daebus("relay")
    app.attach(DaebusHttp(port=0))

    @app.action("hand_on")
    async def hand_on(named: dict[str, str]) -> list[dict[str, str]]:
        bus = made[0].bus
        await bus.send(NOTE, "sent", headers=named or None)
        await bus.publish(SAID, "said", headers=named or None)
        await bus.publish(KEPT, "after", headers=named or None, after="commit")
        return [
            await bus.call(LOOK, "", headers=named or None),
            *[each async for each in bus.stream(LOOKS, headers=named)],
        ]

    @app.action("hand_on_in_thread")
    def hand_on_in_thread(named: dict[str, str], *, blocking_bus: BlockingBus) -> list[dict[str, str]]:
        return [blocking_bus.call(LOOK, "", headers=named), *blocking_bus.stream(LOOKS, headers=named)]

    @app.route("/look")
    async def over_http() -> dict[str, str]:
        return await made[0].call(LOOK, "")

    return app


class TestOfHops:
    async def test_those_of_traces_pass_on_and_no_others(self) -> None:
        noted, made = Noted(), list[RunningService]()
        ask = Action[dict[str, str], list[dict[str, str]]]("hand_on", service="relay")
        async with running(mirror(noted)), running(relay(made)) as service:
            made.append(service)
            one, two = await service.call(ask, {}, headers={**TRACE, "x-tenant": "acme"})
            await until(lambda: len(noted) == 3)
        assert (one.pop("id"), one, two) == ("r-7", TRACE, TRACE)
        for _, headers in noted:
            assert {name: headers[name] for name in TRACE} == TRACE
            assert "x-tenant" not in headers

    async def test_what_a_handler_names_wins(self) -> None:
        made = list[RunningService]()
        named = {"Traceparent": "00-1-2-00", "X-Request-ID": "mine", "x-tenant": "acme"}
        for action in ("hand_on", "hand_on_in_thread"):
            ask = Action[dict[str, str], list[dict[str, str]]](action, service="relay")
            made.clear()
            async with running(mirror()), running(relay(made)) as service:
                made.append(service)
                one, two = await service.call(ask, named, headers=TRACE)
            expected = {**TRACE, "traceparent": "00-1-2-00", "x-request-id": "mine", "x-tenant": "acme"}
            assert (one.pop("id"), one, two) == ("mine", expected, expected)

    async def test_a_request_of_http_hands_them_on_with_its_request_id(self) -> None:
        made = list[RunningService]()
        async with running(mirror()), running(relay(made)) as service:
            made.append(service)
            response = await service.http.get("/look", headers={**TRACE, "X-Tenant": "acme"})
            assert response.json() == {**TRACE, "id": "r-7"}
            assert response.headers["x-request-id"] == "r-7"
            plain = (await service.http.get("/look")).json()
            assert set(plain) == {"id"}

    async def test_a_client_whose_headers_find_no_room_does_not_make_calls_fail(self) -> None:
        made = list[RunningService]()
        ask = Action[dict[str, str], list[dict[str, str]]]("hand_on", service="relay")
        async with running(mirror()), running(relay(made)) as service:
            made.append(service)
            large = {"x-mine": "m" * 9_000}
            one, _ = await service.call(ask, large, headers={**TRACE, "baggage": "b" * 9_000})
        assert {name for name in one if name != "id"} == {*TRACE, "x-mine"} - {"baggage"}
