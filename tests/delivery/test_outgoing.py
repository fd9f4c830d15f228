"""Outgoing interceptors: what stands around calls, streams, sends and publishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, BlockingBus, Blueprint, Bus, Channel, Context, Daebus, StreamAction
from daebus.bus.forwarding import Forwarding
from daebus.delivery.interceptors import Interceptors
from daebus.errors import BadReply, ConfigurationError, Timeout, TooLarge, Unavailable, WiringError
from daebus.interceptors import Forward, ForwardStream, Outgoing
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

LOOK = Action[str, dict[str, str]]("look", service="mirror")
LOOKS = StreamAction[None, dict[str, str]]("looks", service="mirror")
NOTE = Action[str, None]("note", service="mirror")
SAID = Channel[str]("told")
KEPT = Channel[str]("kept_told", durable=True)


def mirror(noted: list[tuple[str, dict[str, str]]]) -> Daebus:
    app = Daebus("mirror")

    @app.action(LOOK)
    async def look(key: str, context: Context) -> dict[str, str]:
        noted.append((key, dict(context.headers)))
        return dict(context.headers)

    @app.action(LOOKS)
    async def looks(context: Context) -> AsyncIterator[dict[str, str]]:
        yield dict(context.headers)
        yield {}

    @app.action(NOTE)
    async def note(text: str, context: Context) -> None:
        noted.append((text, dict(context.headers)))

    @app.listen(SAID)
    async def on_said(text: str, context: Context) -> None:
        noted.append((text, dict(context.headers)))

    @app.listen(KEPT)
    async def on_kept(text: str, context: Context) -> None:
        noted.append((text, dict(context.headers)))

    return app


class Marking:
    """Adds a header, and notes what it sees."""

    def __init__(self, name: str, seen: list[str] | None = None) -> None:
        self.name = name
        self.seen: list[str] = [] if seen is None else seen
        self.made = 0

    def outgoing(self, forward: Forward) -> Forward:
        self.made += 1

        async def marked(outgoing: Outgoing) -> msgspec.Raw:
            self.seen.append(f"{self.name} {outgoing.kind} {outgoing.service} {outgoing.name} {outgoing.body.decode()}")
            outgoing.headers[self.name] = outgoing.kind
            return await forward(outgoing)

        return marked

    def outgoing_stream(self, forward: ForwardStream) -> ForwardStream:
        async def marked(outgoing: Outgoing) -> AsyncGenerator[msgspec.Raw]:
            outgoing.headers[self.name] = outgoing.kind
            async for item in forward(outgoing):
                yield item

        return marked


class PassedBy:
    def outgoing(self, forward: Forward) -> Forward:
        return forward


async def test_they_stand_around_all_that_a_script_sends_the_first_outermost() -> None:
    noted, seen = list[tuple[str, dict[str, str]]](), list[str]()
    one, two = Marking("x-one", seen), Marking("x-two", seen)
    async with running(mirror(noted)), Bus(private_redis_url(), interceptors=[one, PassedBy(), two]) as bus:
        assert await bus.call(LOOK, "a", headers={"x-mine": "1"}) == {"x-mine": "1", "x-one": "call", "x-two": "call"}
        streamed = [item async for item in bus.stream(LOOKS)]
        assert streamed == [{"x-one": "stream", "x-two": "stream"}, {}]
        await bus.send(NOTE, "b")
        await bus.publish(SAID, "c")
        await bus.publish(KEPT, "d")
        await until(lambda: len(noted) == 4)
    assert sorted(noted[1:]) == [
        ("b", {"x-one": "send", "x-two": "send"}),
        ("c", {"x-one": "publish", "x-two": "publish"}),
        ("d", {"x-one": "publish", "x-two": "publish"}),
    ]
    assert seen[:2] == ['x-one call mirror look "a"', 'x-two call mirror look "a"']
    assert (seen[4], one.made) == ('x-one publish None told "c"', 1)


async def test_a_script_without_async_has_them() -> None:
    def script() -> tuple[dict[str, str], list[dict[str, str]]]:
        with BlockingBus(private_redis_url(), interceptors=[Marking("x-one")]) as bus:
            return bus.call(LOOK, "a"), list(bus.stream(LOOKS))

    async with running(mirror([])):
        assert await asyncio.to_thread(script) == ({"x-one": "call"}, [{"x-one": "stream"}, {}])


async def test_those_of_an_app_stand_around_what_its_handlers_send_also_in_threads_and_after_the_commit() -> None:
    noted = list[tuple[str, dict[str, str]]]()
    marking = Marking("x-one")
    app = Daebus("relay", interceptors=[marking])

    @app.action("relay")
    async def relay(*, bus: Bus) -> dict[str, str]:
        await bus.send(NOTE, "after", after="commit")
        await bus.publish(KEPT, "kept", after="commit")
        return await bus.call(LOOK, "a")

    @app.action("relay_in_thread")
    def relay_in_thread(*, blocking_bus: BlockingBus) -> dict[str, str]:
        return blocking_bus.call(LOOK, "a")

    async with running(mirror(noted)), running(app), Bus(private_redis_url()) as bus:
        trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
        for action in ("relay", "relay_in_thread"):
            asked = Action[None, dict[str, str]](action, service="relay")
            assert await bus.call(asked, headers=trace) == {**trace, "x-one": "call"}
        await until(lambda: len(noted) == 4)
    assert {text: headers for text, headers in noted if text != "a"} == {
        "after": {**trace, "x-one": "send"},
        "kept": {**trace, "x-one": "publish"},
    }


class Twice:
    """Hands on twice whatever comes."""

    def outgoing(self, forward: Forward) -> Forward:
        async def twice(outgoing: Outgoing) -> msgspec.Raw:
            await forward(outgoing)
            return await forward(outgoing)

        return twice


async def test_what_is_handed_on_again_is_another_call_and_the_same_send_or_durable_event() -> None:
    noted = list[tuple[str, dict[str, str]]]()
    async with running(mirror(noted)), Bus(private_redis_url(), interceptors=[Twice()]) as bus:
        await bus.send(NOTE, "send")
        await bus.publish(KEPT, "kept")
        await bus.publish(SAID, "plain")
        await bus.call(LOOK, "call")
        async with raw_redis(private_redis_url()) as redis:
            await until(lambda: len(noted) >= 6)
            assert await redis.xlen("daebus:{mirror}:action:note") == 0
    assert sorted(text for text, _ in noted) == ["call", "call", "kept", "plain", "plain", "send"]


class Replacing:
    """Answers by itself, or sends another payload."""

    def __init__(self, *, body: bytes = b"", reply: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.body, self.reply, self.headers = body, reply, headers or {}

    def outgoing(self, forward: Forward) -> Forward:
        async def replaced(outgoing: Outgoing) -> msgspec.Raw:
            outgoing.headers.update(self.headers)
            outgoing.body = self.body or outgoing.body
            return msgspec.Raw(self.reply) if self.reply else await forward(outgoing)

        return replaced


async def test_one_may_answer_by_itself_and_its_answer_is_checked() -> None:
    async with Bus(private_redis_url(), interceptors=[Replacing(reply=b'{"a":"b"}')]) as bus:
        assert await bus.call(LOOK, "a") == {"a": "b"}
    async with Bus(private_redis_url(), interceptors=[Replacing(reply=b"[]")]) as bus:
        with pytest.raises(BadReply):
            await bus.call(LOOK, "a")


async def test_what_one_changes_is_checked_like_what_the_caller_gave() -> None:
    noted = list[tuple[str, dict[str, str]]]()
    async with running(mirror(noted)):
        async with Bus(private_redis_url(), interceptors=[Replacing(body=b'"other"', headers={"X-A": "1"})]) as bus:
            assert await bus.call(LOOK, "a") == {"x-a": "1"}
        async with Bus(private_redis_url(), interceptors=[Replacing(headers={"a b": "1"})]) as bus:
            with pytest.raises(ConfigurationError, match="not a valid name of a header"):
                await bus.call(LOOK, "a")
            with pytest.raises(ConfigurationError, match="not a valid name of a header"):
                await bus.publish(SAID, "a")
        large = Bus(private_redis_url(), max_message_size=100, interceptors=[Replacing(body=b'"' + b"x" * 200 + b'"')])
        async with large as bus:
            with pytest.raises(TooLarge):
                await bus.call(LOOK, "a")
    assert noted == [("other", {"x-a": "1"})]


class Refusing:
    def outgoing(self, forward: Forward) -> Forward:
        async def refused(outgoing: Outgoing) -> msgspec.Raw:
            raise Unavailable(f"The circuit of {outgoing.service} is open")

        return refused


async def test_what_one_raises_is_raised_at_the_caller() -> None:
    async with Bus(private_redis_url(), interceptors=[Refusing()]) as bus:
        with pytest.raises(Unavailable, match="circuit of mirror is open"):
            await bus.call(LOOK, "a")


async def test_a_deadline_of_an_attempt_is_that_of_the_request() -> None:
    lefts = list[float | None]()

    class Noting:
        def outgoing(self, forward: Forward) -> Forward:
            async def noted(outgoing: Outgoing) -> msgspec.Raw:
                lefts.append(outgoing.remaining)
                return await forward(outgoing)

            return noted

    app = Daebus("relay", interceptors=[Noting()])

    @app.action("relay")
    async def relay(context: Context, *, bus: Bus) -> dict[str, str]:
        await bus.send(NOTE, "a")
        return await bus.call(LOOK, "a", timeout=60)

    async with running(mirror([])), running(app), Bus(private_redis_url()) as bus:
        await bus.call(Action[None, dict[str, str]]("relay", service="relay"), timeout=5)
    assert lefts[0] is None
    assert lefts[1] is not None
    assert 0 < lefts[1] < 6  # not the 60 s of the call; the clock of the server is known to a few ms


class Deaf:
    """Is none."""


class AtEach:
    async def outgoing(self, forward: Forward) -> msgspec.Raw:
        return msgspec.Raw(b"null")


class Returning:
    def outgoing(self, forward: Forward) -> None: ...


def test_what_is_none_is_refused_where_it_is_given() -> None:
    with pytest.raises(WiringError, match="no method `outgoing` or `outgoing_stream`"):
        Bus(interceptors=[Deaf()])  # type: ignore[list-item]
    with pytest.raises(WiringError, match="`outgoing` is async, but it is called once, when the bus is created"):
        Daebus("a", interceptors=[AtEach()])  # type: ignore[list-item]
    with pytest.raises(WiringError, match=r"(?s)it returned None.*test_outgoing\.py:\d+.*return `forward`"):
        Bus(interceptors=[Returning()])  # type: ignore[list-item]
    with pytest.raises(WiringError, match=r"(?s)wraps all messages that the service sends.*give it to Daebus"):
        Blueprint("a", interceptors=[PassedBy()])


def test_one_that_passes_everything_by_costs_nothing() -> None:
    passed = Forwarding(Interceptors(outgoing=(PassedBy(),)))
    assert passed.one is None
    assert passed.many is None
    assert Forwarding(Interceptors(outgoing=(Marking("a"),))).one is not None


async def test_one_that_hangs_holds_up_a_call_no_longer_than_its_time() -> None:
    class Hangs:
        def outgoing(self, _forward: Forward) -> Forward:
            async def hanging(_outgoing: Outgoing) -> msgspec.Raw:
                await asyncio.Event().wait()
                raise AssertionError

            return hanging

    async with Bus(private_redis_url(), interceptors=[Hangs()]) as bus:
        with pytest.raises(Timeout, match="interceptors of 'double' did not finish"):
            await bus.call(Action[int, int]("double", service="shop"), 1, timeout=0.05)
