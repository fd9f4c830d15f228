# ruff: noqa: B008  # `use(...)` as a default
from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, cast

import msgspec
import pytest
from dependency_injector import containers, providers
from tests.support import until, wired

from daebus.core.context import Context
from daebus.delivery.dispatch import dispatch
from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.per_message import PerMessage
from daebus.delivery.scopes import MessageScope
from daebus.delivery.workers import WorkerPool
from daebus.errors import DaebusError, WiringError
from daebus.mistakes.places import show_path
from daebus.wiring.binding import use

T = TypeVar("T")
Log = list[str]


class Session:
    def __init__(self, name: str = "session") -> None:
        self.name = name


class Repo:
    def __init__(self, session: Session) -> None:
        self.session = session


class Handle(Protocol):
    async def __call__(self, container: containers.Container, handler: Callable[..., object]) -> object: ...


def compiled(container: containers.Container, handler: Callable[..., object], pool: WorkerPool) -> Endpoint[object]:
    """The endpoint of a route, which returns the result of the handler unchanged."""
    return wired(lambda app: app.route("/test"), handler, container, pool)


def incoming() -> Incoming:
    return Incoming(Context(request_id="r", service="tests", handler="test"))


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(4)
    yield pool
    pool.close()


@pytest.fixture
def handle(pool: WorkerPool) -> Handle:
    async def handle(container: containers.Container, handler: Callable[..., object]) -> object:
        return await dispatch(compiled(container, handler, pool), incoming())

    return handle


@pytest.fixture
def opening(log: Log) -> Callable[[str], Callable[..., AsyncIterator[Session]]]:
    """Makes async generators that say when they open, commit, roll back and close."""

    def make(name: str) -> Callable[..., AsyncIterator[Session]]:
        async def open_session(*needed: object) -> AsyncIterator[Session]:
            log.append(f"open {name}")
            try:
                yield Session(name)
            except BaseException as error:
                log.append(f"roll back {name}: {error!r}")
                raise
            else:
                log.append(f"commit {name}")
            finally:
                log.append(f"close {name}")

        return open_session

    return make


Opening = Callable[[str], Callable[..., AsyncIterator[Session]]]


def opened(root: providers.Provider[object]) -> AbstractAsyncContextManager[object]:
    return MessageScope([root]).opened() or contextlib.nullcontext()


async def test_all_that_is_injected_for_a_message_shares_one_object(handle: Handle, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session)
        other = providers.Factory(Repo, session=session)

    async def handler(*, session: Session, repo: Repo, other: Repo) -> Session:
        assert repo is not other
        assert repo.session is other.session is session
        return session

    container = Container()
    first, second = await handle(container, handler), await handle(container, handler)
    assert isinstance(first, Session)
    assert first is not second


async def test_an_object_is_opened_before_the_handler_and_left_after_its_reply_was_encoded(
    log: Log, pool: WorkerPool, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, session: Session) -> str:
        log.append("handle")
        return "reply"

    def encode(result: object) -> object:
        log.append("encode")
        return result

    endpoint = msgspec.structs.replace(compiled(Container(), handler, pool), encode=encode)
    assert await dispatch(endpoint, incoming()) == "reply"
    assert log == ["open a", "handle", "encode", "commit a", "close a"]


async def test_objects_are_opened_in_the_order_of_their_needs_and_left_in_reverse(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        connection = PerMessage(opening("connection"))
        transaction = PerMessage(opening("transaction"), connection)
        session = PerMessage(opening("session"), providers.Factory(Repo, session=transaction), connection)

    async def handler(*, session: Session, connection: Session) -> None:
        log.append("handle")

    await handle(Container(), handler)
    assert log == [
        "open connection",
        "open transaction",
        "open session",
        "handle",
        *("commit session", "close session"),
        *("commit transaction", "close transaction"),
        *("commit connection", "close connection"),
    ]


async def test_an_object_that_the_handler_does_not_reach_is_not_opened(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        number = providers.Object(3)

    async def handler(*, number: int) -> int:
        return number

    assert await handle(Container(), handler) == 3
    assert log == []


async def test_the_exception_of_the_handler_is_thrown_into_each_object(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        outer = PerMessage(opening("outer"))
        inner = PerMessage(opening("inner"), outer)

    async def handler(*, inner: Session) -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await handle(Container(), handler)
    assert log == [
        *("open outer", "open inner"),
        *("roll back inner: LookupError('gone')", "close inner"),
        *("roll back outer: LookupError('gone')", "close outer"),
    ]


async def test_a_reply_that_cannot_be_encoded_rolls_back(log: Log, pool: WorkerPool, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, session: Session) -> object:
        return object()

    def encode(result: object) -> object:
        raise TypeError("no JSON")

    endpoint = msgspec.structs.replace(compiled(Container(), handler, pool), encode=encode)
    with pytest.raises(TypeError, match="no JSON"):
        await dispatch(endpoint, incoming())
    assert log == ["open a", "roll back a: TypeError('no JSON')", "close a"]


async def test_a_cancelled_handler_rolls_back(log: Log, pool: WorkerPool, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    running = asyncio.Event()

    async def handler(*, session: Session) -> None:
        running.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(dispatch(compiled(Container(), handler, pool), incoming()))
    await asyncio.wait_for(running.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["open a", "roll back a: CancelledError()", "close a"]


async def test_a_failure_to_open_closes_what_was_open_and_skips_the_handler(
    log: Log, handle: Handle, opening: Opening
) -> None:
    async def fail(needed: Session) -> AsyncIterator[Session]:
        raise ConnectionError("down")
        yield needed

    class Container(containers.DeclarativeContainer):
        first = PerMessage(opening("first"))
        second = PerMessage(fail, first)

    async def handler(*, second: Session) -> None:
        log.append("handle")

    container = Container()
    for _ in range(2):
        with pytest.raises(ConnectionError, match="down"):
            await handle(container, handler)
    assert log == ["open first", "roll back first: ConnectionError('down')", "close first"] * 2
    assert_nothing_is_open(container.first)


def assert_nothing_is_open(provider: Callable[[], object]) -> None:
    with pytest.raises(LookupError, match="exists only while a message is handled"):
        provider()


async def test_a_failure_to_commit_is_the_error_of_the_message(log: Log, handle: Handle, opening: Opening) -> None:
    async def failing(outer: Session) -> AsyncIterator[Session]:
        yield Session()
        raise ConnectionError("cannot commit")

    class Container(containers.DeclarativeContainer):
        outer = PerMessage(opening("outer"))
        inner = PerMessage(failing, outer)

    async def handler(*, inner: Session) -> str:
        return "reply"

    with pytest.raises(ConnectionError, match="cannot commit"):
        await handle(Container(), handler)
    assert log[-2:] == ["roll back outer: ConnectionError('cannot commit')", "close outer"]


async def test_an_object_may_turn_the_exception_into_another(handle: Handle) -> None:
    async def translating() -> AsyncIterator[Session]:
        try:
            yield Session()
        except KeyError as error:
            raise LookupError("translated") from error

    class Container(containers.DeclarativeContainer):
        session = PerMessage(translating)

    async def handler(*, session: Session) -> None:
        raise KeyError("raw")

    with pytest.raises(LookupError, match="translated"):
        await handle(Container(), handler)


async def test_an_object_that_swallows_the_exception_is_an_error_that_names_it(handle: Handle) -> None:
    async def swallowing() -> AsyncIterator[Session]:
        with contextlib.suppress(ZeroDivisionError):
            yield Session()

    def swallowing_in_thread() -> Iterator[Session]:
        with contextlib.suppress(ZeroDivisionError):
            yield Session()

    class Container(containers.DeclarativeContainer):
        on_loop = PerMessage(swallowing)
        in_thread = PerMessage(swallowing_in_thread)

    async def handler(*, on_loop: Session) -> None:
        raise ZeroDivisionError("lost")

    def blocking_handler(*, in_thread: Session) -> None:
        raise ZeroDivisionError("lost")

    for kind, name in ((handler, "swallowing"), (blocking_handler, "swallowing_in_thread")):
        with pytest.raises(DaebusError, match=f"{name} swallowed its exception") as caught:
            await handle(Container(), kind)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_an_object_that_swallows_the_failure_of_another_to_open_is_an_error(handle: Handle) -> None:
    async def swallowing() -> AsyncIterator[Session]:
        with contextlib.suppress(ConnectionError):
            yield Session()

    def swallowing_in_thread() -> Iterator[Session]:
        with contextlib.suppress(ConnectionError):
            yield Session()

    def failing(needed: Session) -> Iterator[Session]:
        raise ConnectionError("down")
        yield needed

    class Container(containers.DeclarativeContainer):
        outer = PerMessage(swallowing)
        inner = PerMessage(failing, outer)
        outer_in_thread = PerMessage(swallowing_in_thread)
        inner_in_thread = PerMessage(failing, outer_in_thread)

    async def handler(*, inner: Session) -> None: ...

    def blocking_handler(*, inner: Session) -> None: ...

    def handler_in_thread(*, inner_in_thread: Session) -> None: ...

    for kind in (handler, blocking_handler, handler_in_thread):
        with pytest.raises(DaebusError, match="swallowed its exception"):
            await handle(Container(), kind)


class Counted:
    def __init__(self, log: Log, name: str) -> None:
        self.log = log
        self.name = name

    def __enter__(self) -> Self:
        self.log.append(f"enter {self.name}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.append(f"exit {self.name}: {error!r}")


class AsyncCounted:
    def __init__(self, log: Log, name: str) -> None:
        self.log = log
        self.name = name

    async def __aenter__(self) -> Session:
        self.log.append(f"enter {self.name}")
        return Session(self.name)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.append(f"exit {self.name}: {error!r}")


def generator() -> Iterator[Session]:
    yield Session("generator")


async def async_generator() -> AsyncIterator[Session]:
    yield Session("async generator")


@contextlib.contextmanager
def managed() -> Generator[Session]:
    yield Session("managed")


@contextlib.asynccontextmanager
async def async_managed() -> AsyncGenerator[Session]:
    yield Session("async managed")


def hinted() -> AbstractContextManager[Session]:
    return managed()


class Opener(Generic[T]):
    def __init__(self, given: T) -> None:
        self.given = given

    def __enter__(self) -> T:
        return self.given

    def __exit__(self, *error: object) -> None: ...


def generic() -> Opener[Session]:
    return Opener(Session("generic"))


def async_hinted() -> AbstractAsyncContextManager[Session]:
    return async_managed()


class Database:
    def session(self) -> Iterator[Session]:
        yield Session("method")

    async def async_session(self) -> AsyncIterator[Session]:
        yield Session("async method")


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        (PerMessage(generator), "generator"),
        (PerMessage(async_generator), "async generator"),
        (PerMessage(managed), "managed"),
        (PerMessage(async_managed), "async managed"),
        (PerMessage(hinted), "managed"),
        (PerMessage(generic), "generic"),
        (PerMessage(async_hinted), "async managed"),
        (PerMessage(Database().session), "method"),
        (PerMessage(Database().async_session), "async method"),
        (PerMessage(partial(generator)), "generator"),
        (PerMessage(partial(async_generator)), "async generator"),
    ],
)
async def test_what_yields_or_gives_a_context_manager_can_be_a_provider(
    handle: Handle, provider: PerMessage[Session], name: str
) -> None:
    container = containers.DynamicContainer()
    container.set_provider("session", provider)

    async def handler(*, session: Session) -> str:
        return session.name

    def blocking_handler(*, session: Session) -> str:
        return session.name

    assert await handle(container, handler) == name
    assert await handle(container, blocking_handler) == name


async def test_a_class_that_is_a_context_manager_can_be_a_provider(log: Log, handle: Handle) -> None:
    def counted(name: str) -> Counted:
        return Counted(log, name)

    class LocalCounted(Counted):
        def __init__(self) -> None:
            super().__init__(log, "class")

    class LocalAsyncCounted(AsyncCounted):
        def __init__(self) -> None:
            super().__init__(log, "async class")

    class Container(containers.DeclarativeContainer):
        function = PerMessage(counted, "function")
        blocking = PerMessage(LocalCounted)
        awaiting = PerMessage(LocalAsyncCounted)

    async def handler(*, function: Counted, blocking: Counted, awaiting: Session) -> str:
        return f"{function.name}, {blocking.name}, {awaiting.name}"

    async def failing(*, function: Counted, blocking: Counted, awaiting: Session) -> str:
        raise LookupError

    assert await handle(Container(), handler) == "function, class, async class"
    with pytest.raises(LookupError):
        await handle(Container(), failing)
    entered = ["enter function", "enter class", "enter async class"]
    for error, start in (("None", 0), ("LookupError()", 6)):
        left = [f"exit async class: {error}", f"exit class: {error}", f"exit function: {error}"]
        assert log[start : start + 6] == [*entered, *left]


async def test_arguments_are_injected_as_in_a_factory(handle: Handle) -> None:
    def named(prefix: str, number: int, *, suffix: str) -> Iterator[Session]:
        yield Session(f"{prefix}{number}{suffix}")

    class Container(containers.DeclarativeContainer):
        config = providers.Configuration(default={"suffix": "!"})
        numbers = providers.Factory(lambda: next(numbers))
        session = PerMessage(named, "n", numbers, suffix=config.suffix)

    numbers = iter([1, 2])

    async def handler(*, session: Session) -> str:
        return session.name

    container = Container()
    assert [await handle(container, handler), await handle(container, handler)] == ["n1!", "n2!"]


class Threads:
    """Per-message objects that say in which thread they are opened and closed."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str]] = []

    def note(self, what: str) -> None:
        here = "loop" if threading.current_thread() is threading.main_thread() else "thread"
        self.log.append((what, here))

    def blocking(self, name: str) -> Callable[..., Iterator[Session]]:
        def open_session(*needed: object) -> Iterator[Session]:
            self.note(f"open {name}")
            try:
                yield Session(name)
            finally:
                self.note(f"close {name}")

        return open_session

    def awaiting(self, name: str) -> Callable[..., AsyncIterator[Session]]:
        async def open_session(*needed: object) -> AsyncIterator[Session]:
            self.note(f"open {name}")
            try:
                yield Session(name)
            finally:
                self.note(f"close {name}")

        return open_session


async def test_for_a_thread_blocking_objects_are_opened_and_closed_in_it(handle: Handle) -> None:
    threads = Threads()

    class Container(containers.DeclarativeContainer):
        first = PerMessage(threads.blocking("first"))
        second = PerMessage(threads.blocking("second"), first)

    def handler(*, second: Session, first: Session) -> int:
        threads.note("handle")
        return threading.get_ident()

    assert await handle(Container(), handler) != threading.get_ident()
    assert threads.log == [
        ("open first", "thread"),
        ("open second", "thread"),
        ("handle", "thread"),
        ("close second", "thread"),
        ("close first", "thread"),
    ]


async def test_for_a_thread_async_objects_and_what_they_need_are_opened_and_closed_on_the_loop(
    handle: Handle,
) -> None:
    threads = Threads()

    class Container(containers.DeclarativeContainer):
        first = PerMessage(threads.blocking("first"))
        second = PerMessage(threads.awaiting("second"), first)
        third = PerMessage(threads.blocking("third"), second)

    def handler(*, third: Session) -> str:
        threads.note("handle")
        return third.name

    assert await handle(Container(), handler) == "third"
    assert threads.log == [
        ("open first", "loop"),
        ("open second", "loop"),
        ("open third", "thread"),
        ("handle", "thread"),
        ("close third", "thread"),
        ("close second", "loop"),
        ("close first", "loop"),
    ]


async def test_the_exception_of_a_thread_is_thrown_into_the_objects_on_both_sides(
    log: Log, handle: Handle, opening: Opening
) -> None:
    def in_thread(needed: Session) -> Iterator[Session]:
        try:
            yield needed
        except LookupError as error:
            log.append(f"thread: {error!r}")
            raise

    class Container(containers.DeclarativeContainer):
        on_loop = PerMessage(opening("loop"))
        session = PerMessage(in_thread, on_loop)

    def handler(*, session: Session) -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await handle(Container(), handler)
    assert log == ["open loop", "thread: LookupError('gone')", "roll back loop: LookupError('gone')", "close loop"]


async def test_a_cancelled_message_keeps_its_objects_open_until_its_thread_has_ended(
    log: Log, pool: WorkerPool, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    started, release = threading.Event(), threading.Event()

    def handler(*, session: Session) -> None:
        started.set()
        release.wait(5)
        log.append("handled")

    task = asyncio.create_task(dispatch(compiled(Container(), handler, pool), incoming()))
    assert await asyncio.to_thread(started.wait, 5)
    task.cancel()
    await asyncio.wait({task}, timeout=0.02)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["open a", "handled", "roll back a: CancelledError()", "close a"]


async def test_an_override_by_an_object_takes_effect_between_messages(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session=session)

    container = Container()
    names = await messages_with_an_override(container, container.session, Session("fake"))
    assert names == ["a", "fake", "a"]
    assert log == ["open a", "commit a", "close a"] * 2


async def messages_with_an_override(
    container: containers.Container, overridden: providers.Provider[object], by: object
) -> list[str]:
    """The names of the session of three messages to one endpoint, the second under an override."""

    async def handler(*, repo: Repo) -> str:
        return repo.session.name

    pool = WorkerPool(1)
    endpoint = compiled(container, handler, pool)
    names = [await dispatch(endpoint, incoming())]
    with overridden.override(by):
        names.append(await dispatch(endpoint, incoming()))
    names.append(await dispatch(endpoint, incoming()))
    return [str(name) for name in names]


async def test_an_override_by_another_per_message_object_opens_that_one(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session=session)

    container = Container()
    names = await messages_with_an_override(container, container.session, PerMessage(opening("b")))
    assert names == ["a", "b", "a"]
    assert log == [f"{what} {name}" for name in "aba" for what in ("open", "commit", "close")]


async def test_an_override_above_an_object_leaves_it_closed(log: Log, handle: Handle, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session=session)

    container = Container()
    names = await messages_with_an_override(container, container.repo, Repo(Session("fake")))
    assert names == ["a", "fake", "a"]
    assert log == ["open a", "commit a", "close a"] * 2


async def test_what_needed_no_object_may_be_overridden_by_what_needs_one(
    log: Log, handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        repo = providers.Singleton(Repo, session=Session("plain"))

    container = Container()
    session = PerMessage(opening("a"))
    names = await messages_with_an_override(container, container.repo, providers.Factory(Repo, session=session))
    assert names == ["plain", "a", "plain"]
    assert log == ["open a", "commit a", "close a"]


async def test_an_override_that_was_there_at_registration_can_be_taken_away(
    log: Log, pool: WorkerPool, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, session: Session) -> str:
        return session.name

    container = Container()
    with container.session.override(Session("fake")):
        endpoint = compiled(container, handler, pool)
        assert await dispatch(endpoint, incoming()) == "fake"
    assert await dispatch(endpoint, incoming()) == "a"


async def test_an_override_of_an_override_counts(pool: WorkerPool, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, session: Session) -> str:
        return session.name

    container = Container()
    endpoint = compiled(container, handler, pool)
    between = PerMessage(opening("b"))
    with container.session.override(between), between.override(PerMessage(opening("c"))):
        assert await dispatch(endpoint, incoming()) == "c"


async def test_two_containers_do_not_share_their_objects(log: Log, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session=session)

    one, other = Container(), Container()
    assert one.session is not other.session
    async with opened(one.repo):
        assert one.repo().session is one.session()
        assert_nothing_is_open(other.session)
        async with opened(other.repo):
            assert other.repo().session is other.session()
        assert one.repo().session is one.session()


def test_a_copy_of_a_container_keeps_what_was_shared_shared() -> None:
    def opens(number: int) -> Iterator[Session]:
        yield Session(str(number))

    class Container(containers.DeclarativeContainer):
        number = providers.Object(1)
        session = PerMessage(opens, number)
        repo = providers.Factory(Repo, session=session)

    container = Container()
    again = cast("type[Container]", copy.deepcopy(container))
    for copied in (container, again):
        assert copied.session is not Container.session
        assert copied.repo.kwargs["session"] is copied.session
        assert copied.number in set(copied.session.traverse())
        assert Container.number not in set(copied.session.traverse())


async def test_a_copy_keeps_its_overrides(opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    for override in (providers.Object(Session("fake")), PerMessage(opening("fake"))):
        container = Container()
        container.session.override(override)
        assert override in set(container.session.related)
        copied = cast("type[Container]", copy.deepcopy(container))
        assert copied.session.last_overriding is not override
        async with opened(copied.session):
            assert copied.session().name == "fake"


async def test_messages_at_the_same_time_do_not_mix(pool: WorkerPool, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        repo = providers.Factory(Repo, session=session)

    arrived, everyone = 0, asyncio.Event()

    async def handler(*, session: Session, repo: Repo) -> Session:
        nonlocal arrived
        arrived += 1
        if arrived == 20:
            everyone.set()
        await everyone.wait()
        assert repo.session is session is container.session()
        return session

    container = Container()
    endpoint = compiled(container, handler, pool)
    sessions = await asyncio.wait_for(asyncio.gather(*(dispatch(endpoint, incoming()) for _ in range(20))), 5)
    assert len(set(sessions)) == 20


async def test_threads_at_the_same_time_do_not_mix(pool: WorkerPool) -> None:
    def opens() -> Iterator[Session]:
        yield Session()

    class Container(containers.DeclarativeContainer):
        session = PerMessage(opens)

    everyone = threading.Barrier(4, timeout=5)

    def handler(*, session: Session) -> Session:
        everyone.wait()
        assert session is container.session()
        return session

    container = Container()
    endpoint = compiled(container, handler, pool)
    sessions = await asyncio.gather(*(dispatch(endpoint, incoming()) for _ in range(4)))
    assert len(set(sessions)) == 4


async def test_outside_of_a_message_there_is_no_object(handle: Handle, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, session: Session) -> None:
        assert container.session() is session

    container = Container()
    assert_nothing_is_open(container.session)
    await handle(container, handler)
    assert_nothing_is_open(container.session)


async def test_a_task_that_outlives_its_message_does_not_find_the_closed_object(
    handle: Handle, opening: Opening
) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    ended = asyncio.Event()

    async def straggler() -> None:
        assert container.session().name == "a"
        await ended.wait()
        assert_nothing_is_open(container.session)

    async def handler(*, session: Session) -> asyncio.Task[None]:
        task = asyncio.create_task(straggler())
        await asyncio.sleep(0)
        return task

    container = Container()
    task = cast("asyncio.Task[None]", await handle(container, handler))
    ended.set()
    await task


async def test_an_attribute_of_an_object_can_be_injected(handle: Handle, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))
        shouted = providers.Callable(str.upper, session.provided.name)

    async def handler(*, shouted: str) -> str:
        return shouted

    assert await handle(Container(), handler) == "A"


async def test_an_object_can_be_named_by_use(handle: Handle, opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        session = PerMessage(opening("a"))

    async def handler(*, anything: Session = use(Container.session)) -> str:
        return anything.name

    assert await handle(Container(), handler) == "a"


def refusal(make: Callable[[], object]) -> str:
    with pytest.raises(WiringError) as caught:
        make()
    (problem,) = caught.value.problems
    assert problem.where.startswith(f"{show_path(__file__)}:")
    return f"{problem.subject}: {problem.found}"


def test_what_neither_yields_nor_gives_a_context_manager_is_refused() -> None:
    def plain() -> Session:
        return Session()

    async def awaitable() -> Session:
        return Session()

    def unhinted():  # type: ignore[no-untyped-def]
        return Session()

    def unresolvable() -> Missing:  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]
        return Session()

    class Callee:
        def __call__(self) -> Iterator[Session]:
            yield Session()

    class Container(containers.DeclarativeContainer):
        repo = providers.Factory(Repo, Session())

    wrong: list[object] = [plain, awaitable, unhinted, unresolvable, Callee(), Session, Container.repo]
    for opens in [*wrong, Container.repo.provided.session, partial(plain)]:
        found = refusal(partial(cast("Callable[[object], object]", PerMessage), opens))
        assert found.startswith("PerMessage(")
        assert "is no generator function and is not known to give a context manager" in found


async def test_a_failed_message_leaves_no_garbage_behind(pool: WorkerPool) -> None:
    def opens() -> Iterator[Session]:
        yield Session()

    class Container(containers.DeclarativeContainer):
        session = PerMessage(opens)

    class Marked(Exception):
        pass

    def handler(*, session: Session) -> None:
        raise Marked

    endpoint = compiled(Container(), handler, pool)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            with contextlib.suppress(Marked):
                await dispatch(endpoint, incoming())
        # The threads of the last messages may not have let go yet.
        await until(lambda: sum(isinstance(found, Marked) for found in gc.get_objects()) <= 1)
    finally:
        gc.enable()
