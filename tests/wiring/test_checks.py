from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from dependency_injector import containers, providers

from daebus.core.errors import WiringError, WiringProblem
from daebus.core.places import show_path
from daebus.wiring.checks import check_container
from daebus.wiring.per_message import PerMessage


class Base(containers.DeclarativeContainer):
    bus: providers.Dependency[object] = providers.Dependency()


class Thing:
    def __init__(self, *needed: object, **named: object) -> None:
        self.needed = needed


async def open_session() -> AsyncIterator[Thing]:
    yield Thing()


def open_cache(needed: object) -> Iterator[Thing]:
    yield Thing(needed)


def problems(container: containers.Container) -> list[WiringProblem]:
    with pytest.raises(WiringError) as caught:
        check_container(container, Base)
    return list(caught.value.problems)


def captures(container: containers.Container) -> dict[str, str]:
    found = {problem.subject: problem.found for problem in problems(container)}
    assert all("but keeps the per-message object of open_session" in text for text in found.values())
    return found


def test_a_container_without_mistakes_is_accepted() -> None:
    class Inner(containers.DeclarativeContainer):
        config = providers.Configuration()
        session = PerMessage(open_session)

    class Container(Base):
        config = providers.Configuration()
        session = PerMessage(open_session)
        db = providers.Resource(open_cache, config.db.url)
        repo = providers.Singleton(Thing, db=db, bus=Base.bus, option=config.db.size.as_int())
        again = providers.Singleton(Thing, repo, repo=repo)
        users = providers.Factory(Thing, session=session, repo=repo)
        inner = providers.Container(Inner)
        nested = providers.Factory(Thing, inner.session)

    check_container(Container(), Base)
    check_container(Base(), Base)


def test_a_container_of_another_base_is_refused_where_it_is_passed() -> None:
    class Foreign(containers.DeclarativeContainer):
        pass

    def pass_it() -> None:
        check_container(Foreign(), Base)

    with pytest.raises(WiringError) as caught:
        pass_it()
    (problem,) = caught.value.problems
    assert problem.where == f"{show_path(__file__)}:{pass_it.__code__.co_firstlineno + 1}"
    assert problem.subject == "container=Foreign()"
    assert problem.found == "it does not extend Base"
    assert problem.remedy == "write `class Foreign(Base): ...`, and pass an instance of it"


def test_a_container_without_a_class_is_refused() -> None:
    (problem,) = problems(containers.DynamicContainer())
    assert problem.found == "it does not extend Base"


KINDS: list[Callable[..., providers.Provider[object]]] = [
    providers.Singleton,
    providers.ThreadSafeSingleton,
    providers.ThreadLocalSingleton,
    providers.ContextLocalSingleton,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_singleton_that_keeps_a_per_message_object_is_refused(
    kind: Callable[..., providers.Provider[object]],
) -> None:
    class Container(Base):
        session = PerMessage(open_session)
        repo = kind(Thing, session)

    (problem,) = problems(Container())
    line = inspect.getsourcelines(Container)[1]
    assert problem.where == f"{show_path(__file__)}:{line}"
    assert problem.subject == "Container.repo"
    assert problem.found == "'repo' lives as long as the service, but keeps the per-message object of open_session"
    assert problem.remedy == "make 'repo' a providers.Factory, or pass the object at each call"


def test_a_resource_that_keeps_a_per_message_object_is_refused() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        cache = providers.Resource(open_cache, session)

    assert list(captures(Container())) == ["Container.cache"]


def test_a_singleton_that_keeps_one_through_others_is_refused() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        users = providers.Factory(Thing, session=session.provided.connection)
        repo = providers.Singleton(Thing, users)
        other = providers.Singleton(Thing, repo=repo)

    assert list(captures(Container())) == ["Container.repo", "Container.other"]


def test_a_singleton_without_a_name_of_its_own_is_refused() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        users = providers.Factory(Thing, repo=providers.Singleton(Thing, session))

    found = captures(Container())
    assert found["Container.users"].startswith("the Singleton below it lives as long as the service")


def test_a_singleton_of_a_nested_container_is_refused() -> None:
    class Innermost(containers.DeclarativeContainer):
        session = PerMessage(open_session)
        repo = providers.Singleton(Thing, session)

    class Inner(containers.DeclarativeContainer):
        innermost = providers.Container(Innermost)

    class Container(Base):
        inner = providers.Container(Inner)

    assert list(captures(Container())) == ["Container.inner.innermost.repo"]


def test_all_mistakes_of_a_container_are_told_at_once() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        first = providers.Singleton(Thing, session)
        second = providers.Singleton(Thing, session)
        loop = providers.Factory(Thing)
        loop.add_kwargs(loop=loop)

    assert [problem.subject for problem in problems(Container())] == [
        "Container.loop",
        "Container.first",
        "Container.second",
    ]


def cycle(container: containers.Container) -> str:
    (problem,) = problems(container)
    assert problem.where.startswith(f"{show_path(__file__)}:")
    assert problem.remedy.startswith("take one of these out of the other")
    prefix = "it needs itself: "
    assert problem.found.startswith(prefix)
    return f"{problem.subject}: {problem.found.removeprefix(prefix)}"


def test_a_provider_that_needs_itself_is_refused() -> None:
    class Container(Base):
        repo = providers.Singleton(Thing)
        repo.add_kwargs(repo=repo)

    assert cycle(Container()) == "Container.repo: repo -> repo"


def test_providers_that_need_each_other_are_refused_with_the_way() -> None:
    class Container(Base):
        first = providers.Factory(Thing)
        third = providers.Singleton(Thing, first)
        second = providers.Factory(Thing, third=providers.List[Thing](third))
        first.add_args(second)
        outside = providers.Factory(Thing, second)

    assert cycle(Container()) == "Container.first: first -> second -> third -> first"


def test_a_per_message_object_that_needs_itself_is_refused() -> None:
    class Container(Base):
        repo = providers.Factory(Thing)
        session = PerMessage(open_cache, repo)
        repo.add_args(session)

    assert cycle(Container()) == "Container.repo: repo -> session -> repo"


def test_an_override_that_needs_what_it_overrides_is_refused() -> None:
    class Container(Base):
        repo = providers.Factory(Thing)

    container = Container()
    with container.repo.override(providers.Factory(Thing, inner=container.repo)):
        assert cycle(container) == "Container.repo: repo -> repo"
    check_container(container, Base)


def test_a_subclass_that_wraps_what_it_replaces_is_accepted() -> None:
    class Container(Base):
        repo = providers.Singleton(Thing)

    class Cached(Container):
        repo = providers.Singleton(Thing, Container.repo)

    container = Cached()
    check_container(container, Base)
    assert type(container.repo().needed[0]) is Thing


def test_a_cycle_between_a_container_and_one_nested_in_it_is_refused() -> None:
    class Inner(containers.DeclarativeContainer):
        outer: providers.Dependency[object] = providers.Dependency()
        repo = providers.Factory(Thing, outer)

    class Container(Base):
        users = providers.Factory(Thing)
        inner = providers.Container(Inner, outer=users)
        users.add_kwargs(repo=inner.repo)

    assert cycle(Container()) == "Container.users: users -> inner.repo -> inner.outer -> users"
