from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import structlog
from dependency_injector import containers, providers
from tests.support import Decorate, wired

from daebus.core.context import Context, current_context
from daebus.declare.recorder import Recorder
from daebus.declare.running import Running
from daebus.delivery.dispatch import dispatch, dispatch_stream
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.failures import failure
from daebus.delivery.per_message import PerMessage
from daebus.delivery.workers import WorkerPool
from daebus.errors import BadRequest, Conflict, DaebusError, Internal, NotFound, ServiceError
from daebus.telemetry.logs import configure_logging, make_logger

Log = list[str]


def an_action(app: Recorder) -> Callable[[Any], object]:
    return app.action("test")


def a_thread(app: Recorder) -> Callable[[Any], object]:
    return app.thread("mine")


class Container(containers.DeclarativeContainer):
    number = providers.Object(3)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(4)
    yield pool
    pool.close()


def compiled(
    handler: Callable[..., object],
    pool: WorkerPool,
    container: containers.Container | None = None,
    decorate: Decorate = an_action,
) -> Endpoint[bytes]:
    return wired(decorate, handler, container or Container(), pool)


def incoming(body: bytes | None = None, request_id: str = "r1", part: object = None) -> Incoming:
    return Incoming(Context(request_id=request_id, service="tests", handler="test"), body=body, part=part)


def request_id() -> str | None:
    context = current_context.get()
    return None if context is None else context.request_id


async def test_a_message_is_decoded_handled_and_encoded(pool: WorkerPool) -> None:
    async def handler(query: int, *, number: int) -> list[int]:
        return [query, number]

    def blocking(query: int, *, number: int) -> list[int]:
        return [query, number]

    for kind in (handler, blocking):
        assert await dispatch(compiled(kind, pool), incoming(b"7")) == b"[7,3]"


async def test_a_payload_that_does_not_fit_reaches_no_handler(pool: WorkerPool) -> None:
    async def handler(query: int) -> None:
        raise AssertionError

    def blocking(query: int) -> None:
        raise AssertionError

    for kind in (handler, blocking):
        with pytest.raises(BadRequest):
            await dispatch(compiled(kind, pool), incoming(b'"x"'))


async def test_what_the_transport_decoded_is_passed_by_name(pool: WorkerPool) -> None:
    async def handler(user_id: str, page: int = 1, *, number: int) -> str:
        return f"{user_id} {page} {number}"

    def blocking(user_id: str, page: int = 1, *, number: int) -> str:
        return f"{user_id} {page} {number}"

    message = incoming()
    message.keywords = {"user_id": "u1", "page": 2}
    for kind in (handler, blocking):
        endpoint: Endpoint[Any] = compiled(kind, pool, decorate=lambda app: app.route("/test"))
        assert await dispatch(endpoint, message) == "u1 2 3"


async def test_a_coroutine_function_runs_on_the_event_loop_and_a_function_off_it(pool: WorkerPool) -> None:
    async def handler() -> int:
        return threading.get_ident()

    def blocking() -> int:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return threading.get_ident()

    names: list[str] = []

    def threaded(running: Running) -> None:
        names.append(threading.current_thread().name)

    here = threading.get_ident()
    assert json.loads(await dispatch(compiled(handler, pool), incoming())) == here
    assert json.loads(await dispatch(compiled(blocking, pool), incoming())) != here
    await dispatch(compiled(threaded, pool, decorate=a_thread), incoming(part=Running()))
    assert names == ["mine"]


async def test_a_blocking_handler_does_not_stop_the_event_loop(pool: WorkerPool) -> None:
    release = threading.Event()

    def blocking() -> bool:
        return release.wait(5)

    task = asyncio.create_task(dispatch(compiled(blocking, pool), incoming()))
    await asyncio.sleep(0)
    release.set()
    assert await task == b"true"


async def test_the_context_of_the_message_is_current_while_it_is_handled(pool: WorkerPool) -> None:
    seen: Log = []

    def opens() -> Iterator[int]:
        seen.append(f"open {request_id()}")
        yield 1
        seen.append(f"close {request_id()}")

    class Sessions(containers.DeclarativeContainer):
        session = PerMessage(opens)

    async def handler(*, session: int) -> str | None:
        return request_id()

    def blocking(*, session: int) -> str | None:
        return request_id()

    for kind in (handler, blocking):
        seen.clear()
        assert await dispatch(compiled(kind, pool, Sessions()), incoming()) == b'"r1"'
        assert seen == ["open r1", "close r1"]
        assert request_id() is None


async def test_the_context_is_given_back_after_a_failure(pool: WorkerPool) -> None:
    async def handler(query: int) -> None:
        raise NotFound

    for body in (b"1", b"broken"):
        with pytest.raises(ServiceError):
            await dispatch(compiled(handler, pool), incoming(body))
        assert request_id() is None


async def test_messages_at_the_same_time_have_each_their_context(pool: WorkerPool) -> None:
    async def handler() -> str | None:
        await asyncio.sleep(0)
        return request_id()

    endpoint = compiled(handler, pool)
    replies = await asyncio.gather(*(dispatch(endpoint, incoming(request_id=str(n))) for n in range(5)))
    assert replies == [f'"{n}"'.encode() for n in range(5)]


async def test_an_exception_of_the_handler_passes_through_with_its_traceback(pool: WorkerPool) -> None:
    async def handler() -> None:
        raise Conflict("taken", details={"a": 1})

    def blocking() -> None:
        raise Conflict("taken", details={"a": 1})

    def threaded(running: Running) -> None:
        raise Conflict("taken", details={"a": 1})

    for kind, decorate in ((handler, an_action), (blocking, an_action), (threaded, a_thread)):
        with pytest.raises(Conflict, match="taken") as caught:
            await dispatch(compiled(kind, pool, decorate=decorate), incoming(part=Running()))
        assert caught.value.details == {"a": 1}
        assert caught.traceback[-1].name in ("handler", "blocking", "threaded")


async def test_a_service_that_cannot_be_built_is_an_exception_of_the_message(pool: WorkerPool) -> None:
    def fail() -> int:
        raise ConnectionError("down")

    class Failing(containers.DeclarativeContainer):
        number = providers.Factory(fail)

    async def handler(*, number: int) -> None: ...
    def blocking(*, number: int) -> None: ...

    for kind in (handler, blocking):
        with pytest.raises(ConnectionError, match="down"):
            await dispatch(compiled(kind, pool, Failing()), incoming())


async def test_services_of_a_blocking_handler_are_built_in_its_thread(pool: WorkerPool) -> None:
    class Idents(containers.DeclarativeContainer):
        number = providers.Factory(threading.get_ident)

    def blocking(*, number: int) -> bool:
        return number == threading.get_ident()

    assert await dispatch(compiled(blocking, pool, Idents()), incoming()) == b"true"


@pytest.mark.parametrize("where", ["handler", "service"])
async def test_a_thread_that_ends_with_stop_iteration_is_a_failure_that_does_not_hang(
    pool: WorkerPool, where: str
) -> None:
    def empty() -> int:
        return next(iter(list[int]()))

    class Empty(containers.DeclarativeContainer):
        number = providers.Factory(empty if where == "service" else lambda: 3)

    def blocking(*, number: int) -> None:
        empty()

    def threaded(running: Running, *, number: int) -> None:
        empty()

    for title, endpoint in (
        ("action test", compiled(blocking, pool, Empty())),
        ("thread mine", compiled(threaded, pool, Empty(), a_thread)),
    ):
        with pytest.raises(RuntimeError, match=f"{title} raised StopIteration"):
            await asyncio.wait_for(dispatch(endpoint, incoming(part=Running())), 5)


async def test_a_cancelled_message_does_not_wait_for_a_thread_that_needs_nothing_of_it(pool: WorkerPool) -> None:
    started, release = threading.Event(), threading.Event()

    def blocking() -> None:
        started.set()
        release.wait(5)

    task = asyncio.create_task(dispatch(compiled(blocking, pool), incoming()))
    assert await asyncio.to_thread(started.wait, 5)
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1)
    finally:
        release.set()


async def test_a_stream_yields_its_encoded_items_one_by_one(pool: WorkerPool) -> None:
    produced: list[int] = []

    async def handler(limit: int, *, number: int) -> AsyncIterator[int]:
        for item in range(limit):
            produced.append(item)
            yield item * number

    items = dispatch_stream(compiled(handler, pool), incoming(b"3"))
    assert await anext(items) == b"0"
    assert produced == [0]
    assert [item async for item in items] == [b"3", b"6"]


class Session:
    pass


def sessions(log: Log) -> containers.Container:
    async def opens() -> AsyncIterator[Session]:
        log.append("open")
        try:
            yield Session()
        except BaseException as error:
            log.append(f"roll back {type(error).__name__}")
            raise
        else:
            log.append("commit")

    class Sessions(containers.DeclarativeContainer):
        session = PerMessage(opens)

    return Sessions()


async def test_a_stream_keeps_its_objects_open_until_its_last_item(pool: WorkerPool) -> None:
    log: Log = []

    async def handler(*, session: Session) -> AsyncIterator[int]:
        for item in range(2):
            log.append(f"item {item}")
            yield item

    items = [item async for item in dispatch_stream(compiled(handler, pool, sessions(log)), incoming())]
    assert items == [b"0", b"1"]
    assert log == ["open", "item 0", "item 1", "commit"]


async def test_a_stream_that_is_left_early_is_closed_and_rolled_back(pool: WorkerPool) -> None:
    log: Log = []

    async def handler(*, session: Session) -> AsyncGenerator[int, None]:
        try:
            for item in range(9):
                yield item
        finally:
            log.append("handler closed")

    async with aclosing(dispatch_stream(compiled(handler, pool, sessions(log)), incoming())) as items:
        assert await anext(items) == b"0"
    assert log == ["open", "handler closed", "roll back GeneratorExit"]
    assert request_id() is None


async def test_a_stream_that_fails_is_rolled_back(pool: WorkerPool) -> None:
    log: Log = []

    async def handler(*, session: Session) -> AsyncIterator[int]:
        yield 1
        raise NotFound("no more")

    items = dispatch_stream(compiled(handler, pool, sessions(log)), incoming())
    assert await anext(items) == b"1"
    with pytest.raises(NotFound, match="no more"):
        await anext(items)
    assert log == ["open", "roll back NotFound"]


async def test_a_stream_whose_failure_is_swallowed_fails(pool: WorkerPool) -> None:
    async def swallowing() -> AsyncIterator[Session]:
        with contextlib.suppress(NotFound):
            yield Session()

    class Swallowing(containers.DeclarativeContainer):
        session = PerMessage(swallowing)

    async def handler(*, session: Session) -> AsyncIterator[int]:
        yield 1
        raise NotFound

    with pytest.raises(DaebusError, match="swallowed its exception"):
        [item async for item in dispatch_stream(compiled(handler, pool, Swallowing()), incoming())]


async def test_a_payload_that_does_not_fit_reaches_no_stream(pool: WorkerPool) -> None:
    async def handler(query: int) -> AsyncIterator[int]:
        raise AssertionError
        yield query

    with pytest.raises(BadRequest):
        await anext(dispatch_stream(compiled(handler, pool), incoming(b'"x"')))


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(service="tests", instance="i1", stream=stream)
    yield stream
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def nothing() -> None: ...


def test_a_service_error_is_told_as_it_is_and_not_logged(pool: WorkerPool, written: io.StringIO) -> None:
    error = Conflict("taken")
    assert failure(error, compiled(nothing, pool), incoming(), make_logger()) is error
    assert written.getvalue() == ""


def test_any_other_error_is_told_as_internal_and_its_cause_is_only_logged(
    pool: WorkerPool, written: io.StringIO
) -> None:
    error = ValueError("the password is hunter2")
    endpoint = compiled(nothing, pool)
    told = failure(error, endpoint, incoming(), make_logger())
    assert type(told) is Internal
    assert told.message == "The handler failed; the service's log has the cause under request id r1"
    assert told.details == {}
    line = json.loads(written.getvalue())
    assert line["event"] == "handler failed"
    assert (line["level"], line["handler"], line["request_id"]) == ("error", "action test", "r1")
    assert line["where"] == endpoint.signature.where
    assert "hunter2" in json.dumps(line)


def test_an_error_of_daebus_that_is_not_for_callers_is_internal(pool: WorkerPool, written: io.StringIO) -> None:
    assert type(failure(DaebusError("inside"), compiled(nothing, pool), incoming(), make_logger())) is Internal
    assert "inside" in written.getvalue()
