"""Calls, streams, sends and events between real processes' worth of connections, on a real server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import Action, BlockingBus, Bus, Channel, Context, Daebus, Settings, StreamAction
from daebus.bus.caller import CREDIT
from daebus.errors import (
    BadReply,
    BadRequest,
    ConfigurationError,
    Conflict,
    DaebusError,
    Internal,
    NoSuchAction,
    NoSuchService,
    NotFound,
    ServiceError,
    Timeout,
    TooLarge,
    TooManyRequests,
)
from daebus.protocol.messages import channel_stream
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class GetUser(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class User(msgspec.Struct):
    id: str
    email: str


class Created(msgspec.Struct, tag="created"):
    user_id: str


class Deleted(msgspec.Struct, tag="deleted"):
    user_id: str


class Renamed(msgspec.Struct, tag="renamed"):
    user_id: str


class Merged(msgspec.Struct, tag="merged"):
    user_id: str


GET_USER = Action[GetUser, User]("get_user", service="users")
EVENTS = Channel[Created | Deleted]("user_events")
ORDERS = Channel[Created]("orders", durable=True)


def users() -> Daebus:
    app = Daebus("users")

    @app.action(GET_USER)
    async def get_user(query: GetUser) -> User:
        if query.id == "missing":
            raise NotFound("no such user", details={"id": query.id})
        return User(query.id, "ada@example.com")

    return app


class TestCall:
    async def test_returns_the_reply_as_its_type(self) -> None:
        async with running(users()) as service:
            assert await service.call(GET_USER, GetUser("u1")) == User("u1", "ada@example.com")

    async def test_from_outside_of_any_service(self) -> None:
        async with running(users()), Bus(private_redis_url()) as bus:
            assert await bus.call(GET_USER, GetUser("u1")) == User("u1", "ada@example.com")

    async def test_from_a_script_without_async(self) -> None:
        def script() -> User:
            with BlockingBus(private_redis_url()) as bus:
                return bus.call(GET_USER, GetUser("u1"))

        async with running(users()):
            assert await asyncio.to_thread(script) == User("u1", "ada@example.com")

    async def test_a_service_error_is_raised_again_with_its_class_code_and_details(self) -> None:
        async with running(users()) as service:
            with pytest.raises(NotFound) as caught:
                await service.call(GET_USER, GetUser("missing"))
        assert (caught.value.message, caught.value.code) == ("no such user", "not_found")
        assert caught.value.details == {"id": "missing"}

    async def test_an_error_code_of_the_service_keeps_its_code(self) -> None:
        app = Daebus("shop")

        @app.action("buy")
        async def buy() -> None:
            raise ServiceError("sold out", code="sold_out", details={"left": 0})

        async with running(app) as service:
            with pytest.raises(ServiceError) as caught:
                await service.call(buy)
        assert (caught.value.code, caught.value.details) == ("sold_out", {"left": 0})

    async def test_an_unexpected_error_is_internal_and_tells_nothing(self) -> None:
        app = Daebus("shop")

        @app.action("buy")
        async def buy() -> None:
            raise ValueError("the password is secret")

        async with running(app) as service:
            with pytest.raises(Internal) as caught:
                await service.call(buy)
        assert "secret" not in str(caught.value)
        assert "request id" in str(caught.value)

    async def test_invalid_input_names_the_field_and_what_was_expected(self) -> None:
        loose = Action[dict[str, object], User]("get_user", service="users")
        async with running(users()) as service:
            with pytest.raises(BadRequest, match=r"`\$.id`: expected `str`, got `int`"):
                await service.call(loose, dict[str, object](id=3))
            with pytest.raises(BadRequest, match=r"Missing value at `\$\.id`"):
                await service.call(loose, dict[str, object]())
            with pytest.raises(BadRequest, match=r"`\$.id`.*length >= 1"):
                await service.call(loose, dict[str, object](id=""))

    async def test_a_reply_that_breaks_the_contract_is_named(self) -> None:
        wrong = Action[GetUser, list[int]]("get_user", service="users")
        async with running(users()) as service:
            with pytest.raises(BadReply, match="expected `array`"):
                await service.call(wrong, GetUser("u1"))

    async def test_a_handler_that_is_too_slow_is_cancelled_and_the_caller_gets_timeout(self) -> None:
        app, cancelled = Daebus("slow"), asyncio.Event()

        @app.action("sleep")
        async def sleep() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with running(app) as service:
            started = time.monotonic()
            with pytest.raises(Timeout, match=r"sleep did not (answer within 0\.2|finish in the 0\.\d+) s"):
                await service.call(sleep, timeout=0.2)
            assert time.monotonic() - started < 2
            async with asyncio.timeout(5):
                await cancelled.wait()

    async def test_cancelling_the_caller_cancels_the_handler(self) -> None:
        app, begun, cancelled = Daebus("slow"), asyncio.Event(), asyncio.Event()

        @app.action("sleep")
        async def sleep() -> None:
            begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        async with running(app) as service:
            call = asyncio.create_task(service.call(sleep))
            await begun.wait()
            call.cancel()
            async with asyncio.timeout(5):
                await cancelled.wait()

    async def test_nested_calls_inherit_the_deadline_and_the_request_id(self) -> None:
        app, seen = Daebus("nested"), list[Context]()

        @app.action("inner")
        async def inner(context: Context) -> None:
            seen.append(context)

        @app.action("outer")
        async def outer(context: Context, *, bus: Bus) -> None:
            seen.append(context)
            await bus.call(inner, timeout=60)

        async with running(app) as service:
            await service.call(outer, timeout=3)
        outer_context, inner_context = seen
        assert inner_context.request_id == outer_context.request_id
        assert outer_context.deadline is not None
        assert inner_context.deadline is not None
        assert abs(inner_context.deadline - outer_context.deadline) < 0.1
        assert (outer_context.handler, outer_context.service) == ("action outer", "nested")

    async def test_an_unknown_service_is_refused_at_once(self) -> None:
        async with running(users()) as service:
            started = time.monotonic()
            with pytest.raises(NoSuchService, match="'nobody'"):
                await service.call(Action[None, None]("x", service="nobody"))
            assert time.monotonic() - started < 2

    async def test_an_unknown_service_is_refused_with_the_closest_one_that_was_seen(self) -> None:
        async with running(users()), Bus(private_redis_url()) as bus:
            with pytest.raises(NoSuchService, match="'usres' in the last 30 s: is it started"):
                await bus.call(Action[None, None]("x", service="usres"))
            await bus.call(GET_USER, GetUser("u1"))
            with pytest.raises(NoSuchService, match=r"'usres' in the last 30 s: did you mean 'users'\?"):
                await bus.call(Action[None, None]("x", service="usres"))

    async def test_an_unknown_action_is_refused_at_once_with_the_closest_name(self) -> None:
        async with running(users()) as service:
            with pytest.raises(NoSuchAction, match="did you mean 'get_user'"):
                await service.call(Action[None, None]("get_usr", service="users"))

    async def test_a_contract_without_a_service_needs_one_named(self) -> None:
        async with Bus(private_redis_url()) as bus:
            with pytest.raises(ConfigurationError, match="service="):
                await bus.call(Action[None, None]("x"))

    async def test_a_closed_bus_says_so(self) -> None:
        with pytest.raises(ConfigurationError, match="not open"):
            await Bus().call(GET_USER, GetUser("u1"))

    async def test_a_payload_that_is_too_large_is_refused_before_it_is_sent(self) -> None:
        async with running(users()) as service:
            with pytest.raises(TooLarge, match="bytes"):
                await service.call(GET_USER, GetUser("x" * 2_000_000))
            assert await service.call(GET_USER, GetUser("u1")) == User("u1", "ada@example.com")

    async def test_def_handlers_run_in_threads_and_call_back(self) -> None:
        app = users()

        @app.action("email")
        def email(query: GetUser, *, blocking_bus: BlockingBus) -> str:
            time.sleep(0.05)
            return blocking_bus.call(GET_USER, query).email

        async with running(app) as service:
            started = time.monotonic()
            emails = await asyncio.gather(*(service.call(email, GetUser("u1")) for _ in range(20)))
        assert emails == ["ada@example.com"] * 20
        assert time.monotonic() - started < 0.9

    async def test_a_slow_action_starves_no_other(self) -> None:
        app = Daebus("mixed", settings=Settings(max_concurrency=4))
        release = asyncio.Event()

        @app.action("slow")
        async def slow() -> None:
            await release.wait()

        @app.action("fast")
        async def fast() -> int:
            return 1

        async with running(app) as service:
            blocked = [asyncio.create_task(service.call(slow)) for _ in range(20)]
            assert await asyncio.gather(*(service.call(fast, timeout=3) for _ in range(20))) == [1] * 20
            release.set()
            await asyncio.gather(*blocked)

    async def test_concurrency_limits_one_action(self) -> None:
        app, now, most = Daebus("limited"), 0, 0

        @app.action("work", concurrency=2)
        async def work() -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.01)
            now -= 1

        async with running(app) as service:
            await asyncio.gather(*(service.call(work) for _ in range(20)))
        assert most == 2

    async def test_two_replicas_share_the_work(self) -> None:
        handled: dict[str, int] = {}

        def replica(name: str) -> Daebus:
            app = Daebus("shared", settings=Settings(max_concurrency=4))

            @app.action("work")
            async def work() -> None:
                handled[name] = handled.get(name, 0) + 1
                await asyncio.sleep(0.01)

            return app

        async with running(replica("a")) as service, running(replica("b")):
            work = Action[None, None]("work")
            await asyncio.gather(*(service.call(work) for _ in range(100)))
        assert sum(handled.values()) == 100
        assert min(handled.values()) > 20

    async def test_requests_queued_before_the_start_are_answered(self) -> None:
        """The only instance has just died, and said nothing."""
        async with Bus(private_redis_url()) as bus, raw_redis(private_redis_url()) as redis:
            seconds, _ = await redis.time()
            await redis.zadd("daebus:{users}:serving", {"": seconds * 1000, '["get_user"]': seconds * 1000})
            waiting = asyncio.create_task(bus.call(GET_USER, GetUser("u2"), timeout=10))
            await until(lambda: redis.exists("daebus:{users}:action:get_user"))
            async with running(users()):
                assert (await waiting).id == "u2"

    async def test_stopping_answers_what_is_in_hand(self) -> None:
        app, begun = Daebus("slow"), asyncio.Event()

        @app.action("work")
        async def work() -> str:
            begun.set()
            await asyncio.sleep(0.2)
            return "done"

        async with Bus(private_redis_url()) as bus:
            async with running(app):
                call = asyncio.create_task(bus.call(Action[None, str]("work", service="slow")))
                await begun.wait()
            assert await call == "done"


class TestStream:
    async def test_yields_each_item_as_its_type(self) -> None:
        app = Daebus("counter")

        @app.action("count")
        async def count(limit: int) -> AsyncIterator[User]:
            for number in range(limit):
                yield User(str(number), "")

        async with running(app) as service:
            assert [item.id async for item in service.stream(count, 5)] == ["0", "1", "2", "3", "4"]
            assert [item async for item in service.stream(count, 0)] == []

    async def test_an_error_half_way_comes_after_the_items(self) -> None:
        app, items = Daebus("counter"), list[int]()

        @app.action("count")
        async def count() -> AsyncIterator[int]:
            yield 1
            raise Conflict("enough")

        async with running(app) as service:
            stream = service.stream(count)
            items.append(await anext(stream))
            with pytest.raises(Conflict, match="enough"):
                await anext(stream)
        assert items == [1]

    async def test_leaving_early_stops_the_handler(self) -> None:
        app, closed = Daebus("counter"), asyncio.Event()

        @app.action("count")
        async def count() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
                    await asyncio.sleep(0.001)
            finally:
                closed.set()

        async with running(app) as service:
            stream = service.stream(count)
            assert await anext(stream) == 1
            await stream.aclose()
            async with asyncio.timeout(5):
                await closed.wait()

    async def test_a_slow_reader_slows_the_handler(self) -> None:
        app, made = Daebus("counter"), list[int]()

        @app.action("count")
        async def count(limit: int) -> AsyncIterator[int]:
            for number in range(limit):
                made.append(number)
                yield number

        async with running(app) as service:
            stream = service.stream(count, 2_000)
            assert await anext(stream) == 0
            await until(lambda: len(made) == CREDIT + 1)  # the last one is made, and waits
            # An answer to another question proves that the handler was there to run on, and did not.
            assert [number async for number in service.stream(count, 1)] == [0]
            assert len(made) == CREDIT + 2
            assert [number async for number in stream] == list(range(1, 2_000))

    async def test_a_reader_that_vanishes_while_the_handler_waits_for_it_stops_the_handler(self) -> None:
        app, made, closed = Daebus("counter"), list[int](), asyncio.Event()

        @app.action("count")
        async def count() -> AsyncIterator[int]:
            try:
                while True:
                    made.append(1)
                    yield 1
            finally:
                closed.set()

        async with running(app):
            bus = Bus(private_redis_url())
            await bus.__aenter__()
            stream = bus.stream(StreamAction[None, int]("count", service="counter"))
            assert await anext(stream) == 1
            await until(lambda: len(made) == CREDIT + 1)
            await bus.__aexit__()  # its connections are gone before it can say that it no longer waits
            await stream.aclose()
            async with asyncio.timeout(10):
                await closed.wait()

    async def test_many_items_come_in_their_order_to_many_readers(self) -> None:
        app = Daebus("counter")

        @app.action("count")
        async def count(limit: int) -> AsyncIterator[int]:
            for number in range(limit):
                yield number

        async def read(limit: int) -> list[int]:
            return [number async for number in service.stream(count, limit)]

        async with running(app) as service:
            limits = [0, 1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1_000]
            assert await asyncio.gather(*map(read, limits)) == [list(range(limit)) for limit in limits]

    async def test_from_a_script_without_async(self) -> None:
        app = Daebus("counter")

        @app.action("count")
        async def count(limit: int) -> AsyncIterator[int]:
            for number in range(limit):
                yield number

        def script() -> list[int]:
            with BlockingBus(private_redis_url()) as bus:
                return list(bus.stream(StreamAction[int, int]("count", service="counter"), 3))

        async with running(app):
            assert await asyncio.to_thread(script) == [0, 1, 2]

    async def test_the_timeout_covers_the_whole_stream(self) -> None:
        app = Daebus("counter")

        @app.action("count")
        async def count() -> AsyncIterator[int]:
            while True:
                yield 1
                await asyncio.sleep(0.01)

        async with running(app) as service:
            with pytest.raises(Timeout, match=r"count did not (end within 0\.2|finish in the 0\.\d+) s"):
                async for _ in service.stream(count, timeout=0.2):
                    pass


class TestSend:
    async def test_is_handled_once_though_nobody_serves_it_yet(self) -> None:
        app, handled = Daebus("later"), list[int]()

        @app.action("work")
        async def work(number: int) -> None:
            handled.append(number)

        async with Bus(private_redis_url()) as bus:
            await bus.send(Action[int, None]("work", service="later"), 7)
        async with running(app):
            await until(lambda: handled == [7])

    async def test_a_failure_moves_the_request_to_the_dead_letters(self) -> None:
        app = Daebus("dying")

        @app.action("work")
        async def work(number: int) -> None:
            raise Conflict(f"not {number}")

        async with running(app) as service, raw_redis(private_redis_url()) as redis:
            await service.send(work, 7)
            await until(lambda: redis.xlen("daebus:{dying}:dead"))
            ((_, letter),) = await redis.xrange("daebus:{dying}:dead")
            assert await redis.xlen("daebus:{dying}:action:work") == 0
        assert (letter[b"code"], letter[b"error"]) == (b"conflict", b"not 7")
        assert msgspec.json.decode(letter[b"request"])["payload"] == 7

    async def test_a_full_queue_refuses(self) -> None:
        action = Action[int, None]("work", service="full")
        async with Bus(private_redis_url(), max_queued=2) as bus:
            await bus.send(action, 1)
            await bus.send(action, 2)
            with pytest.raises(TooManyRequests):
                await bus.send(action, 3)


class TestChannels:
    async def test_all_listeners_of_all_replicas_hear_an_event(self) -> None:
        heard: list[str] = []

        def replica(name: str) -> Daebus:
            app = Daebus("listening")

            @app.listen(EVENTS)
            async def first(event: Created | Deleted) -> None:
                heard.append(f"{name} first {event.user_id}")

            @app.listen(EVENTS)
            def second(event: Created | Deleted) -> None:
                heard.append(f"{name} second {event.user_id}")

            return app

        async with running(replica("a")) as service, running(replica("b")):
            await service.publish(EVENTS, Created("u1"))
            await until(lambda: len(heard) == 4)
        assert sorted(heard) == ["a first u1", "a second u1", "b first u1", "b second u1"]

    async def test_a_durable_event_is_handled_by_one_replica_for_each_listener(self) -> None:
        heard: list[str] = []

        def replica() -> Daebus:
            app = Daebus("listening")

            @app.listen(ORDERS)
            async def first(event: Created) -> None:
                heard.append(f"first {event.user_id}")

            @app.listen(ORDERS)
            async def second(event: Created) -> None:
                heard.append(f"second {event.user_id}")

            return app

        async with running(replica()) as service, running(replica()):
            for number in range(10):
                await service.publish(ORDERS, Created(str(number)))
            await until(lambda: len(heard) == 20)
        expected = [f"{which} {number}" for which in ("first", "second") for number in range(10)]
        assert sorted(heard) == sorted(expected)

    async def test_a_durable_event_waits_for_its_listeners(self) -> None:
        app, heard = Daebus("absent"), list[str]()

        @app.listen(ORDERS)
        async def listener(event: Created) -> None:
            heard.append(event.user_id)

        async with Bus(private_redis_url()) as bus:
            await bus.publish(ORDERS, Created("early"))
        async with running(app):
            await until(lambda: heard == ["early"])

    @pytest.mark.parametrize("durable", [False, True])
    async def test_unknown_tags_are_skipped_and_told_and_known_ones_go_on(
        self, durable: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, heard, name = Daebus("old"), list[str](), f"kinds_{durable}"

        @app.listen(Channel[Created | Deleted](name, durable=durable))
        async def listener(event: Created | Deleted) -> None:
            heard.append(event.user_id)

        newer = Channel[Created | Deleted | Renamed | Merged](name, durable=durable)
        async with running(app) as service, raw_redis(private_redis_url()) as redis:
            for _ in range(9):
                await service.publish(newer, Renamed("u1"))
            await service.publish(newer, Merged("u1"))
            await service.publish(newer, Created("u2"))
            await until(lambda: heard == ["u2"])

            async def settled() -> bool:
                return not durable or (await redis.xinfo_groups(channel_stream(name)))[0]["pending"] == 0

            await until(settled)
            assert not durable or await redis.xlen("daebus:{old}:dead") == 0
        lines = [cast("dict[str, Any]", record.msg) for record in caplog.records if record.levelno >= logging.WARNING]
        assert {(line["channel"], line["handler"]) for line in lines} == {(name, f"listen {name}")}
        assert not any(record.levelno > logging.WARNING for record in caplog.records)
        assert [line["skipped"] for line in lines if "'renamed'" in line["reason"]] == [1, 2, 4, 8]
        assert [line["skipped"] for line in lines if "'merged'" in line["reason"]] == [1]

    async def test_tags_that_anybody_makes_up_flood_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        known = 1000
        app, heard = Daebus("old"), list[str]()

        @app.listen(EVENTS)
        async def listener(event: Created | Deleted) -> None:
            heard.append(event.user_id)

        async with running(app) as service, raw_redis(private_redis_url()) as redis:
            for tag in (*map(str, range(known - 1)), "x" * 100_000, "a", "b", "c", "d", "1"):
                await redis.publish("user_events", msgspec.json.encode({"type": tag, "user_id": "u1"}))
            await service.publish(EVENTS, Created("u2"))
            await until(lambda: heard == ["u2"])
        lines = [cast("dict[str, Any]", record.msg) for record in caplog.records if record.levelno >= logging.WARNING]
        assert [line["skipped"] for line in lines] == [*[1] * known, 1, 2, 4, 2]
        assert all(len(line["reason"]) <= 200 for line in lines)

    async def test_a_known_tag_with_wrong_fields_is_logged_and_the_listener_goes_on(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, heard = Daebus("strict"), list[str]()

        @app.listen(EVENTS)
        async def listener(event: Created | Deleted) -> None:
            heard.append(event.user_id)

        async with running(app) as service, raw_redis(private_redis_url()) as redis:
            await redis.publish("user_events", b'{"type": "created", "user_id": 3}')
            await redis.publish("user_events", b"no json")
            await service.publish(EVENTS, Created("u2"))
            await until(lambda: heard == ["u2"])
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == 2

    async def test_a_channel_named_by_a_string_takes_its_type_from_the_handler(self) -> None:
        app, heard = Daebus("loose"), list[dict[str, Any]]()

        @app.listen("anything")
        async def listener(event: dict[str, Any]) -> None:
            heard.append(event)

        async with running(app) as service:
            await service.publish(Channel[dict[str, int]]("anything"), {"n": 1})
            await until(lambda: heard == [{"n": 1}])


@pytest.mark.parametrize("url", ["http://x", "redis://localhost:port", "nonsense"])
async def test_a_bad_url_is_one_clear_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://"):
        async with Bus(url):
            pass


async def test_a_server_that_is_down_is_one_clear_error() -> None:
    with pytest.raises(DaebusError, match="localhost:1") as caught:
        async with Bus("redis://localhost:1"):
            pass
    assert "\n" not in str(caught.value)
