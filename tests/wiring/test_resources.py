from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

import pytest
from dependency_injector import containers, providers, resources

from daebus.delivery.per_message import PerMessage
from daebus.wiring.resources import open_resources, resources_in_order

Log = list[str]


class Db:
    def __init__(self, name: str = "db") -> None:
        self.name = name


class Repo:
    def __init__(self, db: Db) -> None:
        self.db = db


class Opening:
    """Resources that say when they are opened and closed."""

    def __init__(self) -> None:
        self.log: Log = []
        self.failing: set[str] = set()

    def note(self, what: str) -> None:
        self.log.append(what)
        if what in self.failing:
            raise ConnectionError(what)

    def blocking(self, name: str) -> Callable[..., Iterator[Db]]:
        def open_db(*needed: object) -> Iterator[Db]:
            self.note(f"open {name}")
            yield Db(name)
            self.note(f"close {name}")

        return open_db

    def awaiting(self, name: str) -> Callable[..., AsyncIterator[Db]]:
        async def open_db(*needed: object) -> AsyncIterator[Db]:
            await asyncio.sleep(0)
            self.note(f"open {name}")
            yield Db(name)
            await asyncio.sleep(0)
            self.note(f"close {name}")

        return open_db


@pytest.fixture
def opening() -> Opening:
    return Opening()


@pytest.fixture
def log(opening: Opening) -> Log:
    return opening.log


async def test_resources_are_opened_after_what_they_need_and_closed_in_reverse(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        third = providers.Resource(opening.awaiting("third"))
        second = providers.Resource(opening.blocking("second"), third)
        first = providers.Resource(opening.awaiting("first"), providers.Factory(Repo, db=second))

    async with open_resources(Container()):
        assert log == ["open third", "open second", "open first"]
        log.clear()
    assert log == ["close first", "close second", "close third"]


async def test_an_open_resource_is_the_object_itself_async_or_not(opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        blocking = providers.Resource(opening.blocking("blocking"))
        awaiting = providers.Resource(opening.awaiting("awaiting"))

    container = Container()
    async with open_resources(container):
        for provider, name in ((container.blocking, "blocking"), (container.awaiting, "awaiting")):
            db = provider()
            assert isinstance(db, Db)
            assert db.name == name
            assert provider() is db


async def test_what_is_built_over_an_async_resource_gets_the_object_itself(opening: Opening) -> None:
    def open_session(db: Db) -> Iterator[Repo]:
        yield Repo(db)

    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))
        singleton = providers.Singleton(Repo, db=db)
        factory = providers.Factory(Repo, db)
        safe = providers.ThreadSafeSingleton(Repo, db=db)
        called = providers.Callable(Repo, db)
        session = PerMessage(open_session, db)
        over_singleton = providers.List[Repo](singleton)

    container = Container()
    async with open_resources(container):
        db = container.db()
        for provider in (container.singleton, container.factory, container.safe, container.called):
            repo = provider()
            assert isinstance(repo, Repo)
            assert repo.db is db
        assert container.over_singleton() == [container.singleton()]


async def test_a_resource_over_a_singleton_over_an_async_resource_gets_objects(opening: Opening) -> None:
    got: list[object] = []

    def open_cache(repo: Repo) -> Iterator[Db]:
        got.append(repo.db)
        yield Db("cache")

    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))
        repo = providers.Singleton(Repo, db=db)
        cache = providers.Resource(open_cache, repo)

    container = Container()
    async with open_resources(container):
        assert got == [container.db()]
        repo = container.repo()
        assert isinstance(repo, Repo)
        assert repo.db is container.db()


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
async def test_a_resource_that_fails_to_open_closes_those_before_it(opening: Opening, log: Log, kind: str) -> None:
    make = opening.blocking if kind == "blocking" else opening.awaiting

    class Container(containers.DeclarativeContainer):
        first = providers.Resource(opening.awaiting("first"))
        second = providers.Resource(opening.blocking("second"), first)
        third = providers.Resource(cast("Callable[..., Iterator[Db]]", make("third")), second)
        fourth = providers.Resource(opening.blocking("fourth"), third)

    container = Container()
    opening.failing = {"open third"}
    for _ in range(2):
        with pytest.raises(ConnectionError, match="open third"):
            async with open_resources(container):
                raise AssertionError
        assert log == ["open first", "open second", "open third", "close second", "close first"]
        log.clear()
    opening.failing = set()
    async with open_resources(container):
        assert isinstance(container.fourth(), Db)
    assert len(log) == 8


async def test_a_resource_that_fails_to_close_leaves_no_other_open(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        first = providers.Resource(opening.awaiting("first"))
        second = providers.Resource(opening.blocking("second"), first)
        third = providers.Resource(opening.awaiting("third"), second)

    opening.failing = {"close third", "close second"}
    with pytest.raises(ConnectionError, match="close second"):
        async with open_resources(Container()):
            log.clear()
    assert log == ["close third", "close second", "close first"]


async def test_resources_are_closed_when_the_run_fails(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))

    with pytest.raises(LookupError, match="run"):
        async with open_resources(Container()):
            raise LookupError("run")
    assert log == ["open db", "close db"]


async def test_a_start_that_is_cancelled_closes_what_is_open(opening: Opening, log: Log) -> None:
    waiting = asyncio.Event()

    async def hang(needed: Db) -> AsyncIterator[Db]:
        waiting.set()
        await asyncio.Event().wait()
        yield needed

    class Container(containers.DeclarativeContainer):
        first = providers.Resource(opening.awaiting("first"))
        second = providers.Resource(hang, first)

    async def run() -> None:
        async with open_resources(Container()):
            raise AssertionError

    task = asyncio.create_task(run())
    await asyncio.wait_for(waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["open first", "close first"]


async def test_a_second_start_opens_everything_anew(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))
        blocking = providers.Resource(opening.blocking("blocking"), db)
        repo = providers.Singleton(Repo, db=db)
        factory = providers.Factory(Repo, db=repo.provided.db)

    container = Container()
    runs: list[tuple[object, object, object, object]] = []
    for _ in range(2):
        async with open_resources(container):
            repo, made = container.repo(), container.factory()
            runs.append((container.db(), container.blocking(), repo, repo.db))
            assert made.db is repo.db is container.db()
    assert log == ["open db", "open blocking", "close blocking", "close db"] * 2
    assert all(first is not second for first, second in zip(*runs, strict=True))
    assert all(isinstance(given, Db | Repo) for run in runs for given in run)


async def test_singletons_over_what_belongs_to_one_run_are_forgotten_at_its_end(opening: Opening) -> None:
    class Container(containers.DeclarativeContainer):
        bus = providers.Dependency(instance_of=Db)
        db = providers.Resource(opening.blocking("db"))
        over_bus = providers.Singleton(Repo, db=bus)
        over_db = providers.Singleton(Repo, db=db)
        over_both = providers.ThreadSafeSingleton(dict[str, object], a=over_bus, b=over_db)
        alone = providers.Singleton(Db)
        over_alone = providers.Singleton(Repo, db=alone)

    container = Container()
    container.bus.set_default(providers.Object(Db("bus")))
    kinds: list[providers.Provider[object]] = [container.over_bus, container.over_db, container.over_both]
    kinds += [container.alone, container.over_alone]
    async with open_resources(container):
        before = [kind() for kind in kinds]
        assert [kind() for kind in kinds] == before
    async with open_resources(container):
        kept = [kind() is former for kind, former in zip(kinds, before, strict=True)]
    assert kept == [False, False, False, True, True]


async def test_an_overridden_resource_is_not_opened(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))
        repo = providers.Factory(Repo, db=db)

    container, fake = Container(), Db("fake")
    with container.db.override(fake):
        async with open_resources(container):
            assert container.db() is fake
            assert container.repo().db is fake
    assert log == []
    async with open_resources(container):
        assert container.repo().db is container.db() is not fake
    assert log == ["open db", "close db"]


async def test_a_resource_that_overrides_another_is_opened_in_its_place(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))

    container = Container()
    with container.db.override(providers.Resource(opening.awaiting("fake"))):
        async with open_resources(container):
            db = container.db()
            assert isinstance(db, Db)
            assert db.name == "fake"
    assert log == ["open fake", "close fake"]


async def test_what_only_an_overridden_resource_needs_is_opened_by_its_own_name(opening: Opening, log: Log) -> None:
    class Container(containers.DeclarativeContainer):
        db = providers.Resource(opening.blocking("db"), providers.Resource(opening.blocking("unnamed")))
        named = providers.Resource(opening.blocking("named"))

    container = Container()
    with container.db.override(Db()):
        async with open_resources(container):
            assert log == ["open named"]


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
async def test_an_override_during_the_run_leaves_the_resource_to_be_closed(
    opening: Opening, log: Log, kind: str
) -> None:
    make = opening.blocking if kind == "blocking" else opening.awaiting

    class Container(containers.DeclarativeContainer):
        db = providers.Resource(cast("Callable[..., Iterator[Db]]", make("db")))

    container, fake = Container(), Db("fake")
    async with open_resources(container):
        with container.db.override(fake):
            assert container.db() is fake
        assert container.db() is not fake
        container.db.override(fake)
    assert log == ["open db", "close db"]
    container.db.reset_override()
    async with open_resources(container):
        assert isinstance(container.db(), Db)
        assert container.db() is not fake


async def test_resources_of_nested_containers_are_opened_in_the_order_of_their_needs(
    opening: Opening, log: Log
) -> None:
    class Inner(containers.DeclarativeContainer):
        outer_db: providers.Dependency[Db] = providers.Dependency(instance_of=Db)
        cache = providers.Resource(opening.awaiting("cache"), outer_db)
        repo = providers.Singleton(Repo, db=cache)

    class Container(containers.DeclarativeContainer):
        inner = providers.Container(Inner, outer_db=providers.Resource(opening.awaiting("db")))
        users = providers.Factory(Repo, db=inner.repo.provided.db)

    container = Container()
    async with open_resources(container):
        assert log == ["open db", "open cache"]
        assert container.users().db.name == "cache"
    assert log == ["open db", "open cache", "close cache", "close db"]


async def test_an_overridden_nested_container_has_its_own_resources_opened(opening: Opening, log: Log) -> None:
    class Inner(containers.DeclarativeContainer):
        db = providers.Resource(opening.awaiting("db"))
        other = providers.Resource(opening.blocking("other"))

    class Fake(containers.DeclarativeContainer):
        db = providers.Resource(opening.blocking("fake"))

    class Container(containers.DeclarativeContainer):
        inner = providers.Container(Inner)

    container = Container()
    with container.inner.override(Fake()):
        async with open_resources(container):
            assert sorted(log) == ["open fake", "open other"]
            assert container.inner.db().name == "fake"
    assert sorted(log[2:]) == ["close fake", "close other"]


class FileResource(resources.Resource[Db]):
    log: Log

    def init(self, name: str) -> Db:
        self.log.append(f"open {name}")
        return Db(name)

    def shutdown(self, resource: Db | None) -> None:
        assert resource is not None
        self.log.append(f"close {resource.name}")


class AsyncFileResource(resources.AsyncResource[Db]):
    log: Log

    async def init(self, name: str) -> Db:
        await asyncio.sleep(0)
        self.log.append(f"open {name}")
        return Db(name)

    async def shutdown(self, resource: Db | None) -> None:
        await asyncio.sleep(0)
        assert resource is not None
        self.log.append(f"close {resource.name}")


async def test_every_kind_of_resource_is_opened_and_closed(log: Log) -> None:
    FileResource.log = AsyncFileResource.log = log

    @contextmanager
    def managed(name: str) -> Generator[Db]:
        log.append(f"open {name}")
        yield Db(name)
        log.append(f"close {name}")

    @asynccontextmanager
    async def async_managed(name: str) -> AsyncGenerator[Db]:
        log.append(f"open {name}")
        yield Db(name)
        log.append(f"close {name}")

    def plain(name: str) -> Db:
        log.append(f"open {name}")
        return Db(name)

    async def awaited(name: str) -> Db:
        log.append(f"open {name}")
        return Db(name)

    async def awaited_manager(name: str) -> Any:
        return async_managed(name)

    class Container(containers.DeclarativeContainer):
        a = providers.Resource(managed, "a")
        b = providers.Resource(async_managed, "b")
        c = providers.Resource(plain, "c")
        d = providers.Resource(awaited, "d")
        e = providers.Resource(FileResource, "e")
        f = providers.Resource(AsyncFileResource, "f")
        g = providers.Resource(awaited_manager, "g")

    container = Container()
    for _ in range(2):
        log.clear()
        async with open_resources(container):
            given = [provider() for provider in container.providers.values()]
            assert [db.name for db in given if isinstance(db, Db)] == list("abcdefg")
            assert log == [f"open {name}" for name in "abcdefg"]
        assert log[7:] == [f"close {name}" for name in "gfeba"]


async def test_a_blocking_resource_over_something_awaited_is_opened(opening: Opening, log: Log) -> None:
    async def fetch_token() -> str:
        await asyncio.sleep(0)
        return "token"

    tokens: list[object] = []

    def open_db(token: str) -> Iterator[Db]:
        tokens.append(token)
        yield Db()
        log.append("close")

    class Container(containers.DeclarativeContainer):
        db = providers.Resource(open_db, providers.Coroutine(fetch_token))

    container = Container()
    for _ in range(2):
        async with open_resources(container):
            assert isinstance(container.db(), Db)
    assert tokens == ["token"] * 2
    assert log == ["close"] * 2


async def test_a_container_without_resources_opens_nothing() -> None:
    class Container(containers.DeclarativeContainer):
        number = providers.Object(3)

    async with open_resources(Container()):
        pass


def test_the_order_has_each_resource_once(opening: Opening) -> None:
    shared = providers.Resource(opening.blocking("shared"))
    left = providers.Resource(opening.blocking("left"), shared)
    right = providers.Resource(opening.blocking("right"), shared)
    top = providers.Singleton(dict[str, object], left=left, right=right)
    assert resources_in_order([top, right, shared]) == [shared, left, right]
