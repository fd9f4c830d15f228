"""Interceptors stand around every message of a service, whatever transport brings it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar, cast

import httpx
import pytest
from dependency_injector import providers
from tests.support import until

from daebus import (
    Action,
    Blueprint,
    Channel,
    Client,
    Context,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Running,
    ServiceContainer,
    StreamAction,
    WiringError,
)
from daebus.core.context import current_context
from daebus.errors import Forbidden, Internal, Timeout
from daebus.interceptors import AnyInterceptor, Endpoint, Handle, Incoming, Interceptor, StreamHandle
from daebus.testing import running

R = TypeVar("R")

DOUBLE = Action[int, int]("double", service="shop")
COUNT = StreamAction[int, int]("count", service="shop")
ORDERS = Channel[str]("orders")
MAILS = Channel[str]("mails", durable=True)


class Journal:
    """Notes what it sees, before and after each message."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    def __call__(self, endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        async def noted(incoming: Incoming) -> R:
            self.seen.append(f"{self.name} {endpoint.title}")
            try:
                return await handle(incoming)
            finally:
                self.seen.append(f"{self.name} {endpoint.title} ended")

        return noted

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R], /) -> StreamHandle[R]:
        async def noted(incoming: Incoming) -> AsyncGenerator[R]:
            self.seen.append(f"{self.name} {endpoint.title}")
            async for item in handle(incoming):
                self.seen.append(f"{self.name} item")
                yield item

        return noted


def make_app(*interceptors: AnyInterceptor, own: AnyInterceptor | None = None) -> Daebus:
    app = Daebus("shop", interceptors=interceptors)
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    every = Blueprint("every", interceptors=[] if own is None else [own])
    add_bus_handlers(every)
    if all(hasattr(one, "stream") for one in interceptors):
        add_stream(every)
    add_others(every)
    app.register_blueprint(every)
    return app


def add_bus_handlers(every: Blueprint) -> None:
    @every.action(DOUBLE)
    async def double(number: int) -> int:
        return 2 * number

    @every.listen(ORDERS)
    async def on_order(_event: str) -> None: ...

    @every.listen(MAILS)
    async def on_mail(_event: str) -> None: ...


def add_stream(every: Blueprint) -> None:
    @every.action(COUNT)
    async def count(most: int) -> AsyncIterator[int]:
        for number in range(most):
            yield number


def add_others(every: Blueprint) -> None:
    @every.route("/double/<number>")
    async def show(number: int) -> int:
        return 2 * number

    @every.socket("double")
    def answer(number: int) -> int:
        return 2 * number

    @every.socket_connect()
    async def connect(_client: Client) -> None: ...

    @every.socket_disconnect()
    async def disconnect(_client: Client) -> None: ...

    @every.background("clean", 0.1)
    async def clean() -> None: ...

    @every.thread("watch")
    def watch(_running: Running) -> None: ...

    @every.on_start()
    async def begin() -> None: ...

    @every.on_stop()
    async def end() -> None: ...


HANDLERS = {
    "action double",
    "listen orders",
    "listen mails",
    "route GET /double/<number>",
    "socket double",
    "socket_connect",
    "socket_disconnect",
    "background clean",
    "thread watch",
    "on_start begin",
    "on_stop end",
}


async def test_they_stand_around_the_messages_of_every_transport() -> None:
    seen: list[str] = []
    async with running(make_app(Journal("app", seen))) as service:
        assert await service.call(DOUBLE, 2) == 4
        await service.publish(ORDERS, "1")
        await service.publish(MAILS, "1")
        assert (await service.http.get("/double/3")).json() == 6
        async with service.socket() as socket:
            assert bytes((await socket.ask("double", 4)).data) == b"8"
        await until(lambda: {"app background clean", "app socket_disconnect", "app listen mails"} <= {*seen})
    assert {one.removeprefix("app ") for one in seen if not one.endswith("ended")} == HANDLERS
    assert {one.removeprefix("app ").removesuffix(" ended") for one in seen if one.endswith("ended")} == HANDLERS


async def test_those_of_the_app_stand_around_those_of_the_blueprint_and_the_first_is_outermost() -> None:
    seen: list[str] = []
    app = make_app(Journal("first", seen), Journal("second", seen), own=Journal("own", seen))
    async with running(app) as service:
        seen.clear()
        await service.call(DOUBLE, 2)
        calls = [one.removesuffix(" action double ended") for one in seen if "action double" in one]
    assert calls == [
        "first action double",
        "second action double",
        "own action double",
        "own",
        "second",
        "first",
    ]


async def test_those_of_a_blueprint_see_its_messages_alone() -> None:
    seen: list[str] = []
    app = make_app(own=Journal("own", seen))

    @app.action("other")
    async def other() -> str:
        return ""

    async with running(app) as service:
        await service.call(Action[None, str]("other", service="shop"))
        await service.call(DOUBLE, 1)
    assert "own action double" in seen
    assert not any("other" in one for one in seen)


async def test_replies_that_are_streamed_pass_through_their_own_kind() -> None:
    seen: list[str] = []
    async with running(make_app(Journal("app", seen))) as service:
        assert [item async for item in service.stream(COUNT, 3)] == [0, 1, 2]
    assert [one for one in seen if "item" in one] == ["app item"] * 3


def test_one_that_would_not_see_replies_that_are_streamed_is_refused() -> None:
    app = Daebus("shop", interceptors=[by_tenant])
    streaming = Blueprint("streaming")

    @streaming.action(COUNT)
    async def count(most: int) -> AsyncIterator[int]:
        yield most

    with pytest.raises(WiringError, match="interceptor by_tenant has no method `stream`") as told:
        app.register_blueprint(streaming)
    assert [problem.code for problem in told.value.problems] == ["wrong-interceptor"]


async def test_one_that_returns_the_handle_itself_is_passed_by() -> None:
    asked: list[str] = []
    handles: list[object] = []

    def nothing(endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        asked.append(endpoint.title)
        handles.append(handle)
        return handle

    async with running(make_app(nothing)) as service:
        assert await service.call(DOUBLE, 2) == 4
    assert {*asked} == HANDLERS


async def test_the_message_and_its_headers_are_there_to_be_read() -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    def read(endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
        async def reading(incoming: Incoming) -> R:
            context = current_context.get()
            assert context is incoming.context
            seen.append((endpoint.title, incoming.headers.get("x-tenant"), incoming.context.headers.get("accept")))
            return await handle(incoming)

        return reading

    async with running(make_app(read)) as service:
        await service.http.get("/double/3", headers={"X-Tenant": "blue", "Accept": "application/json"})
    assert ("route GET /double/<number>", "blue", "application/json") in seen


class TestFailures:
    @staticmethod
    def refusing(error: Callable[[], BaseException]) -> Interceptor:
        def refuse(endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
            if endpoint.title not in ("action double", "route GET /double/<number>", "socket double"):
                return handle

            async def refused(_incoming: Incoming) -> R:
                raise error()

            return refused

        return refuse

    async def test_an_error_of_a_service_is_told_as_it_is(self) -> None:
        async with running(make_app(self.refusing(lambda: Forbidden("not you")))) as service:
            with pytest.raises(Forbidden, match="not you"):
                await service.call(DOUBLE, 2)
            answer = await service.http.get("/double/3")
            assert (answer.status_code, answer.json()["detail"]) == (403, "not you")
            async with service.socket() as socket:
                assert (await socket.ask("double", 4)).type == "error"

    @pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
    async def test_anything_else_is_an_internal_error_and_the_service_goes_on(
        self, error: type[BaseException], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with running(make_app(self.refusing(lambda: error("secret")))) as service:
            for _ in range(2):
                with pytest.raises(Internal) as told:
                    await service.call(DOUBLE, 2)
                assert "secret" not in str(told.value)
            assert (await service.http.get("/double/3")).status_code == 500
        assert "handler failed" in caplog.text

    async def test_what_one_returns_must_take_messages(self) -> None:
        def forgetful(_endpoint: Endpoint[R], _handle: Handle[R], /) -> Handle[R]:
            return cast("Handle[R]", None)

        with pytest.raises(WiringError, match=r"wrong-interceptor.*it returned None") as told:
            async with running(make_app(forgetful)):
                pass
        assert "test_interceptors.py" in str(told.value)


class TestRegistration:
    @staticmethod
    def told(*given: object) -> str:
        with pytest.raises(WiringError) as told:
            Daebus("shop", interceptors=cast("list[AnyInterceptor]", [*given]))
        assert {problem.code for problem in told.value.problems} == {"wrong-interceptor"}
        assert "test_interceptors.py" in str(told.value)
        with pytest.raises(WiringError):
            Blueprint("users", interceptors=cast("list[AnyInterceptor]", [*given]))
        return str(told.value)

    def test_a_class_is_no_interceptor(self) -> None:
        assert "give an instance: Journal()" in self.told(Journal)

    def test_it_is_called_once_and_so_is_not_async(self) -> None:
        async def timed(_incoming: Incoming) -> Awaitable[None]:
            raise NotImplementedError

        assert "it is async" in self.told(timed)

    def test_it_takes_the_endpoint_and_the_handle(self) -> None:
        def one(handle: object) -> object:
            return handle

        assert "does not take two arguments" in self.told(one)

    def test_other_objects_are_refused_all_at_once(self) -> None:
        text = self.told(3, "timed")
        assert text.count("it is not callable and has no method `stream`") == 2

    def test_a_list_is_wanted(self) -> None:
        with pytest.raises(WiringError, match=r"write interceptors=\[\.\.\.\]"):
            Daebus("shop", interceptors=cast("list[AnyInterceptor]", Journal("x", [])))


_tenant: ContextVar[str] = ContextVar("tenant")


class Tenants(ServiceContainer):
    tenant = providers.Callable(_tenant.get)


def by_tenant(_endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
    async def handled(incoming: Incoming) -> R:
        token = _tenant.set(incoming.headers.get("x-tenant", "nobody"))
        try:
            return await handle(incoming)
        finally:
            _tenant.reset(token)

    return handled


async def test_what_one_finds_out_is_a_service_of_handlers_on_the_loop_and_in_threads() -> None:
    app = Daebus("shop", container=Tenants(), interceptors=[by_tenant])
    app.attach(DaebusHttp(port=0))

    @app.route("/whose")
    async def whose(*, tenant: str) -> str:
        return tenant

    @app.route("/whose-thread")
    def whose_thread(*, tenant: str) -> str:
        return tenant

    async with running(app) as service:

        async def ask(path: str) -> httpx.Response:
            return await service.http.get(path, headers={"x-tenant": "blue"})

        assert (await ask("/whose")).text == "blue"
        assert (await ask("/whose-thread")).text == "blue"


class TestTimeouts:
    """Every kind of handler may be given a time."""

    async def test_a_route_a_message_and_a_connect_handler(self, caplog: pytest.LogCaptureFixture) -> None:
        app = Daebus("shop")
        app.attach(DaebusHttp(port=0))
        app.attach(DaebusWebSocket())
        remaining: list[float | None] = []

        @app.route("/slow", timeout=0.05)
        async def slow(context: Context) -> str:
            remaining.append(context.remaining)
            await forever()
            return ""

        @app.socket("slow", timeout=0.05)
        async def slow_message() -> str:
            await forever()
            return ""

        @app.background("slow", 0.1, timeout=0.05)
        async def slow_task() -> None:
            await forever()

        async with running(app) as service:
            answer = await service.http.get("/slow")
            assert (answer.status_code, answer.json()["detail"]) == (
                504,
                "route GET /slow did not finish in 0.05 s",
            )
            assert 0 < (remaining[0] or 0) <= 0.05
            async with service.socket() as socket:
                told = await socket.ask("slow")
                assert (told.type, b"did not finish in 0.05 s" in bytes(told.data)) == ("error", True)
            await until(lambda: "background slow did not finish in 0.05 s" in caplog.text)

    async def test_interceptors_are_part_of_the_time(self) -> None:
        def hangs(endpoint: Endpoint[R], handle: Handle[R], /) -> Handle[R]:
            async def hanging(_incoming: Incoming) -> R:
                await forever()
                raise AssertionError

            return hanging

        app = Daebus("shop", interceptors=[hangs])
        app.attach(DaebusHttp(port=0))

        @app.route("/slow", timeout=0.05)
        async def slow() -> str:
            return ""

        async with running(app) as service:
            assert (await service.http.get("/slow")).status_code == 504

    async def test_a_def_handler_that_is_over_its_time_is_waited_for_at_the_stop(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = Daebus("shop")
        ended: list[str] = []

        @app.action("slow", timeout=0.05)
        def slow() -> None:
            time.sleep(0.6)
            ended.append("slow")

        @app.on_stop()
        async def stop() -> None:
            ended.append("stop")

        async with running(app) as service:
            with pytest.raises(Timeout):
                await service.call(Action[None, None]("slow", service="shop"))
        assert sorted(ended) == ["slow", "stop"]
        assert "not stop well" not in caplog.text

    async def test_a_service_whose_start_takes_too_long_does_not_start(self) -> None:
        app = Daebus("shop")

        @app.on_start(timeout=0.05)
        async def begin() -> None:
            await forever()

        with pytest.raises(Exception, match=r"on_start begin.*did not finish in 0.05 s"):
            async with running(app):
                pass

    async def test_the_switch_of_a_thread_is_turned_off_and_the_log_says_so(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = Daebus("shop")
        ended: list[str] = []

        @app.thread("watch", timeout=0.05)
        def watch(running: Running) -> None:
            while running():
                running.wait(5)
            ended.append("watch")

        async with running(app):
            await until(lambda: bool(ended))
        assert "thread exceeds its timeout" in caplog.text

    def test_a_time_is_a_number_of_seconds(self) -> None:
        app = Daebus("shop")
        for decorate in (
            lambda: app.route("/x", timeout=0),
            lambda: app.socket("x", timeout=-1),
            lambda: app.socket_connect(timeout=0),
            lambda: app.background("x", 1, timeout=0),
            lambda: app.thread("x", timeout=0),
            lambda: app.on_start(timeout=cast("float", "1")),
        ):
            with pytest.raises(WiringError, match=r"timeout=.*must be a number of seconds above 0"):
                decorate()

    async def test_a_caller_is_told_of_its_own_time_first(self) -> None:
        app = Daebus("shop")

        @app.action("slow", timeout=5)
        async def slow() -> None:
            await forever()

        async with running(app) as service:
            with pytest.raises(Timeout):
                await service.call(Action[None, None]("slow", service="shop"), timeout=0.1)


async def forever() -> None:
    await asyncio.Event().wait()
