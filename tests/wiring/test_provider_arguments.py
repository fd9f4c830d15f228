"""What is wrong with the arguments of providers, and beside each the right twin."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol, cast
from unittest.mock import Mock

import msgspec
import pytest
from dependency_injector import containers, providers, resources

from daebus.delivery.per_message import PerMessage
from daebus.mistakes.places import Place
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.sources import line_at
from daebus.wiring.provider_arguments import find_wrong_arguments


class Db:
    def __init__(self, url: str = "") -> None: ...
    def query(self) -> None: ...


class Cache:
    pass


class Repo:
    def __init__(self, db: Db, *, size: int = 1) -> None: ...


class Plain(msgspec.Struct):
    db: Db


class Asking(Protocol):
    def query(self) -> None: ...


class Base(abc.ABC):
    @abc.abstractmethod
    def query(self) -> None: ...


class Opened(resources.Resource[Db]):
    def init(self, url: str) -> Db:
        return Db(url)

    def shutdown(self, resource: Db | None) -> None: ...


def make_db(url: str) -> Db:
    return Db(url)


async def open_db(url: str) -> AsyncIterator[Db]:
    yield Db(url)


def open_in_thread(url: str) -> Iterator[Db]:
    yield Db(url)


def needs_iterator(rows: Iterator[Db]) -> Cache:
    return Cache()


class Asked:
    def __init__(self, db: Asking) -> None: ...


class Kept:
    def __init__(
        self, kind: type[Db], factory: Callable[[], Db], anything: object, other: Any, **more: object
    ) -> None: ...


PROVIDED = providers.Singleton(Db)
# Untyped, so that the type checkers let pass what is to be refused here.
Singleton, Factory = cast("Any", providers.Singleton), cast("Any", providers.Factory)
Resource = cast("Any", providers.Resource)


def container_of(provider: providers.Provider[Any]) -> containers.Container:
    class Container(containers.DeclarativeContainer):
        db = PROVIDED
        cache = providers.Singleton(Cache)
        wrong = provider

    return Container()


def told(container: containers.Container, *, is_needed: bool = True) -> list[WiringProblem]:
    needed = [container.providers["wrong"]] if is_needed else []
    return list(find_wrong_arguments(container, needed))


WRONG: list[tuple[Callable[[], providers.Provider[Any]], str, str]] = [
    (lambda: Singleton(Repo, bd=PROVIDED), "Repo takes no 'bd'", "remove it: it takes db, size"),
    (lambda: Singleton(Repo, dbb=PROVIDED), "Repo takes no 'dbb'", "did you mean 'db'?"),
    (lambda: Singleton(Cache, db=PROVIDED), "Cache takes no 'db'", "remove it: it takes nothing"),
    (
        lambda: Factory(Repo, PROVIDED, 3),
        "Repo cannot be called with these arguments: too many positional arguments",
        "correct the",
    ),
    (lambda: Singleton(Repo), "Repo needs 'db', which is not given", "add db=db"),
    (lambda: Singleton(Plain), "Plain needs 'db', which is not given", "add db=db"),
    (lambda: providers.Callable(make_db), "make_db needs 'url', which is not given", "add url=..."),
    (lambda: Resource(open_db), "open_db needs 'url', which is not given", "add url=..."),
    (lambda: Resource(open_in_thread, ulr=""), "open_in_thread takes no 'ulr'", "did you mean 'url'?"),
    (lambda: Resource(Opened), "Opened needs 'url', which is not given", "add url=..."),
    (lambda: PerMessage(open_db, ulr=""), "open_db takes no 'ulr'", "did you mean 'url'?"),  # type: ignore[call-arg]
    (lambda: PerMessage(open_in_thread), "open_in_thread needs 'url', which is not given", "add url=..."),  # type: ignore[call-arg]
    (lambda: Singleton(Repo, Singleton(Cache)), "Repo takes 'db' as Db, and gets Cache", "give it another provider"),
    (lambda: Singleton(Asked, Singleton(Cache)), "Asked takes 'db' as Asking, and gets Cache", "give it another"),
    (lambda: Singleton(Repo, Db), "Repo takes 'db' as an object, and gets the class Db", "make a provider of it: db="),
    (
        lambda: Singleton(Repo, Factory(open_in_thread, "")),
        "Repo would get the generator of open_in_thread",
        "make that",
    ),
    (lambda: Singleton(Asking), "Asking is a Protocol, which cannot be instantiated", "name a class that implements"),
    (lambda: Singleton(Base), "Base is abstract, which cannot be instantiated", "name a class that implements"),
    (Singleton, "this Singleton has nothing to call", "write providers.Singleton(TheClass)"),
    (
        lambda: providers.AbstractSingleton(Cache),
        "no provider is given for this AbstractSingleton",
        "override it",
    ),
]


@pytest.mark.parametrize(("make", "found", "remedy"), WRONG, ids=[found for _, found, _ in WRONG])
def test_what_would_fail_at_its_call_is_refused(
    make: Callable[[], providers.Provider[Any]], found: str, remedy: str
) -> None:
    (problem,) = told(container_of(make()))
    assert problem.subject == "Container.wrong"
    assert problem.found.startswith(found)
    assert problem.remedy.startswith(remedy)
    assert (span := problem.span) is not None
    assert line_at(span.path, span.line).strip() == "wrong = provider"


RIGHT: list[Callable[[], providers.Provider[Any]]] = [
    lambda: Singleton(Repo, PROVIDED),
    lambda: Singleton(Repo, db=PROVIDED, size=3),
    lambda: Singleton(Repo, db=providers.Configuration().db),
    lambda: Singleton(Repo, db=providers.Object(Mock())),
    lambda: Singleton(Repo, db=providers.Object(Mock(spec=Db))),
    lambda: Singleton(Repo, db=Mock()),
    lambda: Singleton(Repo, db=Factory(make_db, "")),
    lambda: Singleton(Repo, db=Resource(open_db, url="")),
    lambda: Singleton(Repo, db=providers.Dict(db=PROVIDED)),
    lambda: Singleton(Asked, PROVIDED),
    lambda: Singleton(Plain, db=PROVIDED),
    lambda: Singleton(Kept, Db, Factory(Repo).provider, Db, Cache, more=1),
    lambda: Singleton(needs_iterator, Factory(open_in_thread, "")),
    lambda: providers.Selector(lambda: "a", a=Singleton(Cache), b=Singleton(Repo)),
    lambda: providers.FactoryAggregate(a=Factory(Repo)),
    lambda: Singleton(Kept, Db, providers.DelegatedFactory(Repo), Db, Cache),
    lambda: Singleton(dict, a=1),
    lambda: Resource(Opened, url=""),
    lambda: PerMessage(open_db, ""),
]


@pytest.mark.parametrize("number", range(len(RIGHT)))
def test_what_can_be_called_is_accepted(number: int) -> None:
    assert told(container_of(RIGHT[number]())) == []


def test_arguments_that_may_be_given_later_are_not_missed_where_nobody_calls() -> None:
    container = container_of(Factory(Repo))
    assert told(container, is_needed=False) == []
    assert len(told(container)) == 1
    (unknown,) = told(container_of(Factory(Repo, bd=1)), is_needed=False)
    assert unknown.found == "Repo takes no 'bd'"


def test_an_override_takes_the_place_of_what_is_wrong() -> None:
    container = container_of(Singleton(Repo))
    with container.providers["wrong"].override(Mock()):
        assert told(container) == []
    with container.providers["wrong"].override(Singleton(Repo, bd=1)):
        assert [problem.found for problem in told(container)] == ["Repo takes no 'bd'"]
    fake = container_of(Singleton(Repo, db=PROVIDED))
    with cast("Any", fake.providers["db"]).override(Cache()):
        assert told(fake) == []  # what a test passes is its own business


def test_each_provider_is_told_once_and_shown_with_what_it_takes() -> None:
    class Inner(containers.DeclarativeContainer):
        repo = Singleton(Repo, bd=1)

    class Container(containers.DeclarativeContainer):
        inner = providers.Container(Inner)
        wrong = Factory(Cache)
        users = Factory(dict, rows=inner.repo)

    container = Container()
    (problem,) = find_wrong_arguments(container, [container.users, container.users])
    assert problem.subject == "Container.inner.repo"
    (note,) = problem.notes
    assert isinstance(note.where, Place)
    assert (span := note.where.span()) is not None
    assert line_at(span.path, span.line).strip().startswith("def __init__(self, db: Db")


class Configured(containers.DeclarativeContainer):
    config = providers.Configuration()
    size = Singleton(Repo, db=PROVIDED, size=config.db.size.as_int())
    url = Singleton(Db, config.db.url.required())
    loose = Singleton(Db, config.db.other)


def test_options_that_are_needed_and_not_set_are_told() -> None:
    container = Configured()
    needed = [container.size, container.url, container.loose]
    size, url = find_wrong_arguments(container, needed)
    assert (size.code, size.found) == ("unset-option", "it needs config.db.size as int, and it is not set")
    assert (url.subject, url.found) == ("Configured.url", "it needs config.db.url, which must be set and is not")
    assert url.remedy.startswith("set it before the app starts, as by container.config.from_dict(...)")
    assert list(find_wrong_arguments(container, [])) == []
    container.config.from_dict({"db": {"size": "x", "url": ""}})
    (malformed,) = find_wrong_arguments(container, needed)
    assert malformed.found == "it needs config.db.size as int, and it is 'x'"
    container.config.from_dict({"db": {"size": "3"}})
    assert list(find_wrong_arguments(container, needed)) == []
    assert container.size() is not None


def test_every_option_of_a_strict_configuration_must_be_set() -> None:
    class Container(containers.DeclarativeContainer):
        config = providers.Configuration(strict=True)

    container = Container()
    (problem,) = find_wrong_arguments(container, [container.config.db.url])
    assert (problem.code, problem.subject) == ("unset-option", "Container.config")
    container.config.from_dict({"db": {"url": None}})
    assert list(find_wrong_arguments(container, [container.config.db.url])) == []


class Early(containers.DeclarativeContainer):
    db = Singleton(Db)
    right = Singleton(Repo, db=Db("other"))
    wrong = Singleton(Repo, db=db())


def test_a_provider_that_is_called_in_the_container_is_told() -> None:
    (problem,) = told(Early())
    assert problem.subject == "Early.wrong"
    assert problem.found == "db() is called at import, so its object is not that of the container"
    assert problem.remedy == "pass the provider: db, without ()"
