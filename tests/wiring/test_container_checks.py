from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

import pytest
from dependency_injector import containers, providers

from daebus.delivery.per_message import PerMessage
from daebus.errors import WiringError, WiringProblem
from daebus.mistakes.places import Place, show_path
from daebus.mistakes.sources import line_at
from daebus.wiring.container_checks import check_container, find_unfilled, find_unknown_overrides


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
    listed = problems(container)
    found = {problem.subject: problem.found for problem in listed}
    assert len(found) == len(listed)
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
        cache = providers.Resource(open_cache, session)  # type: ignore[daebus-wiring]

    assert list(captures(Container())) == ["Container.cache"]


def test_a_singleton_that_keeps_one_through_others_is_refused() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        users = providers.Factory(Thing, session=session.provided.connection)
        repo = providers.Singleton(Thing, users)  # type: ignore[daebus-wiring]
        other = providers.Singleton(Thing, repo=repo)

    assert list(captures(Container())) == ["Container.repo", "Container.other"]


def test_a_singleton_without_a_name_of_its_own_is_refused() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        users = providers.Factory(Thing, repo=providers.Singleton(Thing, session))  # type: ignore[daebus-wiring]

    found = captures(Container())
    assert found["Container.users"].startswith("the Singleton below it lives as long as the service")


def test_a_singleton_of_a_nested_container_is_refused() -> None:
    class Innermost(containers.DeclarativeContainer):
        session = PerMessage(open_session)
        repo = providers.Singleton(Thing, session)  # type: ignore[daebus-wiring]

    class Inner(containers.DeclarativeContainer):
        innermost = providers.Container(Innermost)

    class Container(Base):
        inner = providers.Container(Inner)

    assert list(captures(Container())) == ["Container.inner.innermost.repo"]


def test_what_is_needed_along_many_ways_is_looked_at_once() -> None:
    session = PerMessage(open_session)
    provider: providers.Provider[object] = providers.Factory(Thing, session)
    for _ in range(40):
        provider = providers.Factory(Thing, provider, provider, providers.Factory(Thing, provider))

    class Container(Base):
        repo = providers.Singleton(Thing, provider)

    assert list(captures(Container())) == ["Container.repo"]


def test_a_container_class_without_source_is_placed_in_its_module() -> None:
    names: dict[str, object] = {"Base": Base, "session": PerMessage(open_session), "providers": providers}
    exec("class Made(Base): repo = providers.Singleton(dict, a=session)", {**names, "__name__": "made"}, names)
    (problem,) = problems(cast("type[Base]", names["Made"])())
    assert (problem.where, problem.subject) == ("made", "Made.repo")


def test_all_mistakes_of_a_container_are_told_at_once() -> None:
    class Container(Base):
        session = PerMessage(open_session)
        first = providers.Singleton(Thing, session)  # type: ignore[daebus-wiring]
        second = providers.Singleton(Thing, session)  # type: ignore[daebus-wiring]
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
    assert problem.remedy.startswith("remove one of these dependencies")
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


def test_a_provider_without_a_name_that_needs_itself_is_told_by_what_needs_it() -> None:
    unnamed = providers.Factory(Thing)
    unnamed.add_args(unnamed)

    class Container(Base):
        repo = providers.Factory(Thing, unnamed)

    assert cycle(Container()).startswith("Container.repo: ")


def test_a_provider_that_is_given_a_container_which_needs_it_is_accepted() -> None:
    class Inner(containers.DeclarativeContainer):
        outer: providers.Dependency[object] = providers.Dependency()

    class Container(Base):
        users = providers.Factory(Thing)
        inner = providers.Container(Inner, outer=users)
        users.add_kwargs(container=inner)

    container = Container()
    check_container(container, Base)
    assert type(container.users()) is Thing


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


def test_the_class_of_a_container_is_no_container() -> None:
    (problem,) = problems(cast("containers.Container", Base))
    assert (problem.subject, problem.found) == ("container=Base", "it is the class itself")
    assert problem.remedy == "pass an instance of it: container=Base()"


def test_another_provider_in_the_place_of_one_that_daebus_fills_is_refused() -> None:
    class Container(Base):
        bus = providers.Factory(Thing)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    (problem,) = problems(Container())
    assert problem.subject == "Container.bus"
    assert problem.found.startswith("daebus sets 'bus' itself when the service starts")


def test_a_dependency_in_the_place_of_one_that_daebus_fills_is_accepted() -> None:
    class Container(Base):
        bus: providers.Dependency[object] = providers.Dependency()

    check_container(Container(), Base)


class Dependent(Base):
    mailer: providers.Dependency[Thing] = providers.Dependency(instance_of=Thing)
    users = providers.Factory(Thing, mailer, bus=Base.bus)
    others = providers.Factory(Thing, mailer)


def unfilled(container: Dependent) -> list[WiringProblem]:
    needed = [("action users", container.users), ("action others", container.others)]
    return list(find_unfilled(container, Base, needed))


def test_a_dependency_that_nobody_fills_is_told_once_with_who_needs_it() -> None:
    (problem,) = unfilled(Dependent())
    assert problem.subject == "Dependent.mailer"
    assert problem.found == "this Dependency has no value, and action users needs it"
    assert problem.remedy.startswith("give it to the container, as Dependent(mailer=...)")


def test_a_dependency_that_somebody_fills_is_no_problem() -> None:
    assert unfilled(Dependent(mailer=Thing())) == []
    defaulted = Dependent()
    defaulted.mailer.set_default(Thing())
    assert unfilled(defaulted) == []


def test_a_dependency_that_nobody_needs_may_stay_unfilled() -> None:
    assert list(find_unfilled(Dependent(), Base, [])) == []


def test_an_overriding_container_that_overrides_nothing_is_told_with_the_closest_name() -> None:
    class Fakes(containers.DeclarativeContainer):
        user = providers.Object(3)
        others = providers.Object(3)
        elsewhere = providers.Object(3)

    container = Dependent()
    assert list(find_unknown_overrides(container)) == []
    container.override(Fakes())  # type: ignore[daebus-wiring]
    found = {problem.subject: problem.remedy for problem in find_unknown_overrides(container)}
    assert found == {"Fakes.user": "did you mean 'users'?", "Fakes.elsewhere": "remove it"}


def shown(where: object) -> str:
    """The line of the source at a place, without what it says to mypy."""
    assert isinstance(where, Place)
    span = where.span()
    assert span is not None
    return line_at(span.path, span.line).partition("  # type: ")[0].strip()


def at(problem: WiringProblem) -> str:
    span = problem.span
    assert span is not None
    return line_at(span.path, span.line).partition("  # type: ")[0].strip()


def test_mistakes_are_shown_where_the_provider_is_defined() -> None:
    class Inner(containers.DeclarativeContainer):
        session = PerMessage(open_session)

    class Parent(Base):
        inner = providers.Container(Inner)

    class Container(Parent):
        users = providers.Factory(Thing)
        cache = providers.Singleton(Thing, users, Parent.inner.session)  # type: ignore[daebus-wiring]
        users.add_kwargs(cache=cache)

    loop, kept = problems(Container())
    assert (loop.code, kept.code) == ("dependency-cycle", "captured-message-object")
    assert at(loop) == "users = providers.Factory(Thing)"
    assert [(note.text, shown(note.where)) for note in loop.notes] == [
        ("cache needs users", "cache = providers.Singleton(Thing, users, Parent.inner.session)")
    ]
    assert at(kept) == "cache = providers.Singleton(Thing, users, Parent.inner.session)"
    assert [(note.text, shown(note.where)) for note in kept.notes] == [
        ("one for each message", "session = PerMessage(open_session)")
    ]


def test_a_dependency_of_a_nested_container_is_told_by_its_path() -> None:
    class Inner(containers.DeclarativeContainer):
        clock: providers.Dependency[Thing] = providers.Dependency(instance_of=Thing)
        given: providers.Dependency[Thing] = providers.Dependency(instance_of=Thing)

    class Container(Base):
        inner = providers.Container(Inner, given=Base.bus)
        repo = providers.Factory(Thing, providers.List[Thing](inner.clock), inner.given)

    container = Container()
    (problem,) = find_unfilled(container, Base, [("action users", container.repo)])
    assert (problem.code, problem.subject) == ("undefined-dependency", "Container.inner.clock")
    assert problem.remedy.startswith(
        "give it to the nested container, as inner = providers.Container(Inner, clock=...), "
    )
    assert at(problem).startswith("clock: providers.Dependency[Thing]")
    with container.inner.container.providers["clock"].override(Thing()):
        assert list(find_unfilled(container, Base, [("action users", container.repo)])) == []


def test_what_overrides_nothing_is_shown() -> None:
    class Fakes(containers.DeclarativeContainer):
        mialer = providers.Object(Thing())

    container = Dependent()
    container.override(Fakes())  # type: ignore[daebus-wiring]
    (problem,) = find_unknown_overrides(container)
    assert problem.found == "it overrides nothing: Dependent has no provider 'mialer'"
    assert at(problem) == "mialer = providers.Object(Thing())"
