# ruff: noqa: B008  # `use(...)` as a default
from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar, cast

import pytest
from dependency_injector import containers, providers
from dependency_injector.errors import Error
from dependency_injector.resources import AsyncResource

from daebus.core.affinity import LoopOnly, ThreadOnly
from daebus.declare.signatures import read_signature
from daebus.delivery.per_message import PerMessage
from daebus.errors import WiringError, WiringProblem
from daebus.mistakes.places import Place, show_path
from daebus.mistakes.sources import line_at
from daebus.wiring.binding import bind_services, find_misplaced, use
from daebus.wiring.rules import Hints

T = TypeVar("T")
Handler = Callable[..., object]


class Db:
    pass


class Postgres(Db):
    pass


class Repo:
    def __init__(self, db: Db) -> None:
        self.db = db


class CachedRepo(Repo):
    pass


class Bus(LoopOnly):
    __twin__: ClassVar[str] = "blocking_bus"


class BlockingBus(ThreadOnly):
    __twin__: ClassVar[str] = "bus"


class Pool(containers.DeclarativeContainer):
    size = providers.Object(3)


class Inner(containers.DeclarativeContainer):
    config = providers.Configuration()
    db = providers.Singleton(Postgres)
    pool = providers.Container(Pool)


class Container(containers.DeclarativeContainer):
    config = providers.Configuration()
    settings = providers.Configuration()
    db = providers.Singleton(Db)
    repo = providers.Factory(Repo, db=db)
    bus = providers.Dependency(instance_of=Bus)
    blocking_bus = providers.Dependency(instance_of=BlockingBus)
    inner = providers.Container(Inner)


class Replaced(Container):
    repo = providers.Factory(CachedRepo, db=Container.db)


def services(container: containers.Container, handler: Handler) -> dict[str, object]:
    return bind_services(container, read_signature(handler)).bind(dict[str, object])()


def problems(container: containers.Container, handler: Handler) -> list[WiringProblem]:
    with pytest.raises(WiringError) as caught:
        bind_services(container, read_signature(handler))
    place = f"{show_path(__file__)}:{handler.__code__.co_firstlineno}"
    assert {problem.where for problem in caught.value.problems} == {place}
    return list(caught.value.problems)


def refusal(container: containers.Container, handler: Handler) -> WiringProblem:
    (problem,) = problems(container, handler)
    return problem


def test_a_service_is_found_by_its_name() -> None:
    def handler(query: int, *, repo: Repo, db: Db) -> None: ...

    container = Container()
    found = services(container, handler)
    assert set(found) == {"repo", "db"}
    assert isinstance(found["repo"], Repo)
    assert found["db"] is container.db() is found["repo"].db


def test_a_handler_without_services_gets_none() -> None:
    def handler(repo: Repo) -> None: ...

    assert services(Container(), handler) == {}


def test_a_factory_makes_a_new_object_for_each_message() -> None:
    def handler(*, repo: Repo) -> None: ...

    injection = bind_services(Container(), read_signature(handler))
    assert injection.bind(dict[str, object])()["repo"] is not injection.bind(dict[str, object])()["repo"]


def test_a_service_is_named_by_use_whatever_the_parameter_is_called() -> None:
    def handler(*, users: Repo = use(Container.repo), db: Db = use(Container.db)) -> None: ...

    container = Container()
    found = services(container, handler)
    assert isinstance(found["users"], Repo)
    assert found["db"] is container.db()


def test_use_finds_what_a_subclass_inherited() -> None:
    def handler(*, database: Db = use(Container.db)) -> None: ...

    container = Replaced()
    assert services(container, handler)["database"] is container.db()


def test_use_finds_what_a_subclass_put_in_its_place() -> None:
    def handler(*, users: Repo = use(Container.repo)) -> None: ...

    container = Replaced()
    found = services(container, handler)["users"]
    assert type(found) is CachedRepo
    assert found.db is container.db()


def test_what_a_subclass_put_in_its_place_must_fit_as_well() -> None:
    class Wrong(Container):
        repo = providers.Factory(cast("type[Repo]", Db))

    def handler(*, users: Repo = use(Container.repo)) -> None: ...

    assert refusal(Wrong(), handler).found.endswith("of Wrong gives Db")


def test_use_finds_a_provider_of_a_nested_container() -> None:
    nested_twice = cast("type[Pool]", Container.inner.pool)

    def through(*, database: Db = use(cast("providers.Provider[Db]", Container.inner.db))) -> None: ...
    def directly(*, database: Db = use(Inner.db)) -> None: ...
    def deeply(*, size: int = use(nested_twice.size)) -> None: ...
    def deeply_directly(*, size: int = use(Pool.size)) -> None: ...

    class Child(Container):
        pass

    for container in (Container(), Child()):
        nested = container.inner.container
        assert services(container, through)["database"] is nested.db()
        assert services(container, directly)["database"] is nested.db()
        assert services(container, deeply) == services(container, deeply_directly) == {"size": 3}


def test_use_finds_an_option_of_the_configuration() -> None:
    def handler(
        *,
        url: str = use(Container.config.db.url),
        port: int = use(Container.config.db.port.as_int()),
        other: str = use(Container.settings.db.url),
        nested: str = use(Inner.config.url),
    ) -> None: ...

    container = Container()
    container.config.from_dict({"db": {"url": "a", "port": "3"}})
    container.settings.from_dict({"db": {"url": "b"}})
    cast("providers.Configuration", container.inner.config).from_dict({"url": "c"})  # type: ignore[redundant-cast]  # pyright does not know it
    assert services(container, handler) == {"url": "a", "port": 3, "other": "b", "nested": "c"}


def test_an_option_of_the_configuration_changes_with_it() -> None:
    def handler(
        *,
        port: int = use(Container.config.port.as_int()),
        name: str = use(Container.config.name),
        must: str = use(Container.config.name.required()),
    ) -> None: ...

    container = Container()
    injection = bind_services(container, read_signature(handler))
    container.config.from_dict({"port": "1", "name": "a"})
    assert injection.bind(dict[str, object])() == {"port": 1, "name": "a", "must": "a"}
    with container.config.override({"port": "2", "name": "b"}):
        assert injection.bind(dict[str, object])() == {"port": 2, "name": "b", "must": "b"}
    assert injection.bind(dict[str, object])() == {"port": 1, "name": "a", "must": "a"}


def test_a_required_option_that_is_not_set_is_an_error() -> None:
    def handler(*, name: str = use(Container.config.name.required())) -> None: ...

    injection = bind_services(Container(), read_signature(handler))
    with pytest.raises(Error, match="Undefined configuration option"):
        injection.bind(dict[str, object])()


def test_an_option_is_checked_by_its_conversion() -> None:
    def handler(*, port: str = use(cast("providers.Provider[str]", Container.config.port.as_int()))) -> None: ...

    assert refusal(Container(), handler).found.endswith("gives int")


def test_use_of_another_container_is_refused() -> None:
    class Foreign(containers.DeclarativeContainer):
        config = providers.Configuration()
        repo = providers.Factory(Repo, db=Container.db)

    def handler(*, repo: Repo = use(Foreign.repo)) -> None: ...
    def option(*, url: str = use(Foreign.config.url)) -> None: ...
    def typed_option(*, port: int = use(Foreign.config.port.as_int())) -> None: ...

    for wrong in (handler, option, typed_option):
        problem = refusal(Container(), wrong)
        assert problem.found == "use(...) names a provider that Container does not have"
        assert "own container class" in problem.remedy


def test_use_of_a_provider_of_an_instance_is_refused() -> None:
    container = Container()

    def handler(*, repo: Repo = use(container.repo)) -> None: ...

    assert refusal(container, handler).found.endswith("of one container, not of its class")
    assert refusal(container, handler).remedy == "write use(Container.repo)"


def test_use_left_of_the_star_is_found() -> None:
    def handler(query: int, repo: Repo = use(Container.repo), *, db: Db = use(Container.db)) -> None: ...

    (problem,) = find_misplaced(read_signature(handler))
    assert problem.subject == "handler(repo: Repo)"
    assert problem.remedy == "put a bare * before 'repo'"


def test_all_mistakes_are_told_at_once_with_place_and_remedy() -> None:
    def handler(*, rebo: Repo, db: Repo, other: int = use(providers.Object(3)), bare) -> None:  # type: ignore[no-untyped-def]
        ...

    found = problems(Container(), cast("Handler", handler))
    assert [problem.subject for problem in found] == [
        "handler(rebo: Repo)",
        "handler(db: Repo)",
        "handler(other: int)",
        "handler(bare)",
    ]


def test_a_misspelt_name_is_answered_with_the_closest_one() -> None:
    def handler(*, rebo: Repo) -> None: ...

    problem = refusal(Container(), handler)
    assert (problem.code, problem.parameter) == ("unknown-service", "rebo")
    assert problem.found == "Container has no provider 'rebo'"
    assert [note.text for note in problem.notes] == [
        "Container has blocking_bus: BlockingBus, bus: Bus, config: dict, db: Db, inner, repo: Repo, settings: dict"
    ]
    assert problem.remedy == "did you mean 'repo'?"


def test_an_unknown_name_of_a_known_type_is_answered_with_the_provider_of_that_type() -> None:
    def handler(*, user_storage: Repo) -> None: ...

    assert refusal(Container(), handler).remedy == (
        "rename it to 'repo', or write user_storage: Repo = use(Container.repo)"
    )


def test_an_unknown_name_of_an_unknown_type_is_answered_with_how_to_add_it() -> None:
    def handler(*, mailer: int) -> None: ...

    assert refusal(Container(), handler).remedy == (
        "add `mailer = providers.Singleton(int)` to Container, or move it left of the * if it comes from the message"
    )


def test_the_container_itself_is_no_service() -> None:
    class SelfAware(containers.DeclarativeContainer):
        __self__ = providers.Self()

    def handler(*, __self__: object) -> None: ...

    assert refusal(SelfAware(), handler).found.startswith("SelfAware has no provider '__self__'")


def test_a_parameter_without_annotation_is_refused_with_the_type_to_write() -> None:
    def handler(*, repo):  # type: ignore[no-untyped-def]
        ...

    problem = refusal(Container(), cast("Handler", handler))
    assert problem.found == "it has no annotation, so the provider cannot be checked"
    assert problem.remedy == "annotate it, as repo: Repo"


def test_another_type_than_the_provider_gives_is_refused() -> None:
    def handler(*, db: Repo) -> None: ...

    problem = refusal(Container(), handler)
    assert problem.found == "the provider 'db' of Container gives Db"
    assert problem.remedy == "annotate it as Db, or name it 'repo', which gives Repo"


class Finds(Protocol):
    def find(self) -> Db: ...


class Finder(Generic[T]):
    def find(self) -> Db:
        return Db()


class Typed(containers.DeclarativeContainer):
    config = providers.Configuration(default={"kind": "a", "port": "7"})
    db = providers.Singleton(Postgres)
    finder = providers.Singleton(Finder[int])
    either = providers.Selector(config.kind, a=providers.Factory(Postgres), b=providers.Factory(Repo, db=db))
    number = providers.Object(3)
    port = config.port.as_int()
    url = config.url
    called = providers.Callable(len, "abc")
    dependency = providers.Dependency(instance_of=Db, default=providers.Factory(Postgres))
    everything = providers.Dict(db=db)


def test_a_wider_annotation_than_the_provider_gives_is_accepted() -> None:
    def handler(
        *,
        db: Db | None,
        finder: Finds,
        either: Postgres | Repo | int,
        number: float,
        port: Annotated[int, "TCP"],
        dependency: object,
    ) -> None: ...

    found = services(Typed(), handler)
    assert type(found["db"]) is type(found["either"]) is type(found["dependency"]) is Postgres
    assert isinstance(found["finder"], Finder)
    assert (found["number"], found["port"]) == (3, 7)


def test_where_only_the_call_would_tell_the_annotation_is_believed() -> None:
    def handler(*, url: str | None, called: int, everything: dict[str, Db], finder: Finder[int]) -> None: ...

    found = services(Typed(), handler)
    assert (found["url"], found["called"]) == (None, 3)
    assert list(cast("dict[str, Db]", found["everything"])) == ["db"]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (Repo, "db"),
        (Repo | None, "db"),
        (Annotated[Repo, "x"], "db"),
        (Finds, "db"),
        (Postgres, "either"),
        (Postgres | None, "either"),
        (str, "number"),
        (str, "port"),
        (Postgres, "dependency"),
        (type[Db], "db"),
    ],
)
def test_a_narrower_annotation_than_the_provider_gives_is_refused(annotation: object, name: str) -> None:
    def handler(*, it: Any) -> None: ...

    handler.__annotations__["it"] = annotation
    handler.__kwdefaults__ = {"it": use(getattr(Typed, name))}
    assert "gives" in refusal(Typed(), handler).found


def test_a_selector_gives_what_the_configuration_says_at_the_message() -> None:
    def handler(*, either: Postgres | Repo) -> None: ...

    container = Typed()
    injection = bind_services(container, read_signature(handler))
    assert type(injection.bind(dict[str, object])()["either"]) is Postgres
    container.config.from_dict({"kind": "b"})
    assert type(injection.bind(dict[str, object])()["either"]) is Repo


def test_an_override_takes_effect_at_the_next_message() -> None:
    def handler(*, db: Db, repo: Repo) -> None: ...

    container = Container()
    injection = bind_services(container, read_signature(handler))
    original, fake = container.db(), Postgres()
    assert injection.bind(dict[str, object])()["db"] is original
    with container.db.override(fake):
        assert injection.bind(dict[str, object])()["db"] is fake
        assert cast("Repo", injection.bind(dict[str, object])()["repo"]).db is fake
    assert injection.bind(dict[str, object])()["db"] is original


def test_what_overrides_a_provider_at_registration_is_what_is_checked() -> None:
    def handler(*, db: Db) -> None: ...

    container = Container()
    with container.db.override(3):
        assert refusal(container, handler).found == "the provider 'db' of Container gives int"


def test_a_service_of_the_event_loop_is_refused_in_a_thread() -> None:
    def handler(*, bus: Bus) -> None: ...

    problem = refusal(Container(), handler)
    assert problem.found == "a `def` handler runs in a thread, where a Bus cannot be awaited"
    assert problem.remedy == "ask for 'blocking_bus', or make the handler `async def`"


def test_a_blocking_service_is_refused_on_the_event_loop() -> None:
    async def handler(*, blocking_bus: BlockingBus) -> None: ...
    async def stream(*, it: BlockingBus = use(Container.blocking_bus)) -> AsyncIterator[int]:
        yield 1

    for wrong in (handler, stream):
        problem = refusal(Container(), wrong)
        assert problem.found == "an `async def` handler runs on the event loop, which a BlockingBus would block"
        assert problem.remedy == "ask for 'bus', or make the handler `def`"


def test_services_on_their_own_side_are_accepted() -> None:
    async def handler(*, bus: Bus) -> None: ...
    async def stream(*, bus: Bus) -> AsyncIterator[int]:
        yield 1

    def blocking(*, blocking_bus: BlockingBus) -> None: ...

    container = Container()
    container.bus.set_default(providers.Object(Bus()))
    container.blocking_bus.set_default(providers.Object(BlockingBus()))
    assert isinstance(services(container, handler)["bus"], Bus)
    assert isinstance(services(container, stream)["bus"], Bus)
    assert isinstance(services(container, blocking)["blocking_bus"], BlockingBus)


def test_a_dependency_is_filled_after_registration() -> None:
    def handler(*, blocking_bus: BlockingBus) -> None: ...

    container = Container()
    injection = bind_services(container, read_signature(handler))
    with pytest.raises(Error, match="is not defined"):
        injection.bind(dict[str, object])()
    filled, fake = BlockingBus(), BlockingBus()
    container.blocking_bus.set_default(providers.Object(filled))
    assert injection.bind(dict[str, object])()["blocking_bus"] is filled
    with container.blocking_bus.override(fake):
        assert injection.bind(dict[str, object])()["blocking_bus"] is fake


async def make_db() -> Db:
    return Db()


def opens(db: Db) -> Iterator[Repo]:
    yield Repo(db)


class Awaiting(containers.DeclarativeContainer):
    db = providers.Singleton(cast("Callable[[], Db]", make_db))
    repo = providers.Factory(Repo, db=db)
    session = PerMessage(opens, db)
    resource = providers.Resource(make_db)
    good = providers.Factory(Repo, db=resource)


def test_a_coroutine_that_nobody_would_await_is_refused_however_deep() -> None:
    async def direct(*, db: Db) -> None: ...
    async def nested(*, repo: Repo) -> None: ...
    async def opened(*, session: Repo) -> None: ...

    for wrong in (direct, nested, opened):
        problem = refusal(Awaiting(), wrong)
        line = make_db.__code__.co_firstlineno
        assert problem.found == f"make_db ({show_path(__file__)}:{line}) would never be awaited"
        assert "providers.Resource" in problem.remedy


def test_an_async_resource_below_a_factory_is_accepted() -> None:
    async def handler(*, good: Repo, resource: Db) -> None: ...

    bind_services(Awaiting(), read_signature(handler))


def test_a_container_without_a_class_is_called_the_container() -> None:
    container = containers.DynamicContainer()
    container.set_provider("db", providers.Singleton(Db))

    def handler(*, db: Db) -> None: ...
    def misspelt(*, dp: Db) -> None: ...
    def named(*, db: Db = use(Container.db)) -> None: ...

    assert type(services(container, handler)["db"]) is Db
    problem = refusal(container, misspelt)
    assert problem.found == "the container has no provider 'dp'"
    assert [note.text for note in problem.notes] == ["the container has db: Db"]
    assert refusal(container, named).found == "use(...) names a provider that the container does not have"


async def open_db() -> AsyncIterator[Db]:
    yield Db()


async def generate_db() -> AsyncGenerator[Db]:
    yield Db()


def open_repo(db: Db) -> Iterator[Repo]:
    yield Repo(db)


class AsyncRepo(AsyncResource[Repo]):
    async def init(self, *args: object, **kwargs: object) -> Repo:
        return Repo(Db())


class Opened(containers.DeclarativeContainer):
    db = providers.Resource(open_db)
    repo = providers.Resource(open_repo, db)
    managed = providers.Resource(contextlib.asynccontextmanager(generate_db))
    awaited = providers.Resource(make_db)
    by_class: providers.Resource[Repo] = providers.Resource(AsyncRepo)
    over = providers.Singleton(Repo, db=db)
    session = PerMessage(open_db)


def test_what_an_async_resource_gives_is_refused_in_a_thread() -> None:
    def db(*, db: Db) -> None: ...
    def managed(*, managed: Db) -> None: ...
    def awaited(*, awaited: Db) -> None: ...
    def by_class(*, it: Repo = use(Opened.by_class)) -> None: ...

    for wrong in (db, managed, awaited, by_class):
        problem = refusal(Opened(), wrong)
        assert problem.code == "async-resource"
        assert problem.found == (
            "a `def` handler runs in a thread, and what an async Resource gives belongs to the event loop"
        )
        assert problem.remedy == "make the handler `async def`, or open it by a plain generator, `def ...: yield`"
        assert [note.text for note in problem.notes] == ["an async Resource"]
    with pytest.raises(WiringError) as caught:
        bind_services(Opened(), read_signature(db), hints=Hints(threaded=True))
    assert caught.value.problems[0].remedy == "open it by a plain generator, `def ...: yield`"


def test_what_only_stands_over_an_async_resource_is_accepted_in_a_thread() -> None:
    def handler(*, repo: Repo, over: Repo, session: Db) -> None: ...
    async def on_loop(*, db: Db, managed: Db, awaited: Db, by_class: Repo) -> None: ...
    def replaced(*, db: Db) -> None: ...

    container = Opened()
    bind_services(container, read_signature(handler))
    bind_services(container, read_signature(on_loop))
    with container.db.override(Db()):
        bind_services(container, read_signature(replaced))


def test_a_service_of_the_event_loop_is_told_by_its_annotation_where_the_provider_says_nothing() -> None:
    class Untold(containers.DeclarativeContainer):
        bus: providers.Dependency[object] = providers.Dependency()

    def handler(*, bus: Bus) -> None: ...
    def maybe(*, bus: Bus | None) -> None: ...

    for wrong in (handler, maybe):
        assert refusal(Untold(), wrong).code == "needs-the-loop"


def test_in_a_thread_the_remedy_is_not_to_leave_it() -> None:
    def handler(running: int, *, bus: Bus) -> None: ...

    with pytest.raises(WiringError) as caught:
        bind_services(Container(), read_signature(handler), hints=Hints(threaded=True))
    assert caught.value.problems[0].remedy == "ask for 'blocking_bus'"


def test_an_attribute_that_is_no_provider_is_told_and_shown() -> None:
    class Plain(Container):
        version = "1.0"

    class Child(Plain):
        pass

    def handler(*, version: str) -> None: ...
    def method(*, override: str) -> None: ...

    problem = refusal(Child(), handler)
    assert (problem.code, problem.found) == ("not-a-provider", "Child.version is not a provider")
    assert problem.remedy == "make it one: version = providers.Object(...)"
    (note,) = problem.notes
    assert note.text == "a str"
    assert note.where is not None
    assert refusal(Child(), method).code == "unknown-service"


def test_use_of_what_is_no_provider_is_refused() -> None:
    def handler(*, repo: Repo = use(cast("providers.Provider[Repo]", Repo))) -> None: ...

    problem = refusal(Container(), handler)
    assert (problem.code, problem.remedy) == (
        "not-a-provider",
        "name one of the container's providers: use(Container.name)",
    )


def test_a_provider_of_a_nested_container_is_suggested() -> None:
    def unknown(*, postgres: Postgres) -> None: ...
    def wrong(*, repo: Postgres) -> None: ...

    assert refusal(Container(), unknown).remedy == "write postgres: Postgres = use(Container.inner.db)"
    problem = refusal(Container(), wrong)
    assert problem.remedy == "annotate it as Repo, or write repo: Postgres = use(Container.inner.db)"


def test_where_the_provider_is_defined_is_shown() -> None:
    def handler(*, repo: Db) -> None: ...
    def nested(*, repo: Repo = use(cast("providers.Provider[Repo]", Pool.size))) -> None: ...

    for wrong, text, line in (
        (handler, "it gives CachedRepo", "repo = providers.Factory(CachedRepo, db=Container.db)"),
        (nested, "it gives int", "size = providers.Object(3)"),
    ):
        (note,) = refusal(Replaced(), wrong).notes
        assert isinstance(note.where, Place)
        span = note.where.span()
        assert note.text == text
        assert span is not None
        assert line_at(span.path, span.line).strip() == line


def test_the_methods_that_a_protocol_asks_for_are_named() -> None:
    def handler(*, repo: Finds) -> None: ...

    problem = refusal(Container(), handler)
    assert [note.text for note in problem.notes][1:] == ["Repo has no find, which Finds asks for"]


def test_types_that_look_the_same_are_told_apart() -> None:
    real = Repo

    def scope() -> Handler:
        class Repo:
            pass

        def handler(*, repo: Repo) -> None: ...

        handler.__annotations__["repo"] = Repo
        return handler

    problem = refusal(Container(), scope())
    assert f"gives {real.__module__}.Repo" in problem.found
    assert "annotate it as" in problem.remedy
    assert real.__module__ in problem.remedy
