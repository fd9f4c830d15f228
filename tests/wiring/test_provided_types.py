from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial, wraps
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    Protocol,
    Self,
    TypedDict,
    TypeVar,
    Union,
    cast,
)

import msgspec
import pytest
from dependency_injector import containers, providers, resources

from daebus.declare.signatures import MISSING
from daebus.delivery.per_message import PerMessage
from daebus.wiring.provided_types import UNKNOWN, find_unawaited, fits, is_async_resource, missing_members, yielded_type

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")
AnyProvider = providers.Provider[object]


class Db:
    pass


class Postgres(Db):
    pass


class Repo:
    def __init__(self, db: Db | None = None) -> None:
        self.db = db


def make_db() -> Db:
    return Db()


def make_optional() -> Db | None:
    return None


def make_untyped():  # type: ignore[no-untyped-def]
    return Db()


def make_price() -> Decimal:
    raise NotImplementedError


async def make_async() -> Db:
    return Db()


def open_db() -> Iterator[Db]:
    yield Db()


async def open_async() -> AsyncIterator[Db]:
    yield Db()


async def open_generator() -> AsyncGenerator[Db, None]:
    yield Db()


def open_untyped():  # type: ignore[no-untyped-def]
    yield Db()


def open_bare() -> Iterator:  # type: ignore[type-arg]
    yield Db()


@contextlib.contextmanager
def managed_db() -> Generator[Db]:
    yield Db()


@contextlib.asynccontextmanager
async def managed_async() -> AsyncGenerator[Db]:
    yield Db()


def hinted_db() -> AbstractContextManager[Db]:
    return managed_db()


def hinted_async() -> AbstractAsyncContextManager[Db]:
    return managed_async()


class Itself:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...


class Opener:
    async def __aenter__(self) -> Db:
        return Db()

    async def __aexit__(self, *error: object) -> None: ...

    def init(self) -> int:
        return 3


class GenericOpener(Generic[T]):
    def __enter__(self) -> list[T]:
        return []

    def __exit__(self, *error: object) -> None: ...


class SimpleOpener(Generic[T]):
    def __init__(self, given: T) -> None:
        self.given = given

    def __enter__(self) -> T:
        return self.given

    def __exit__(self, *error: object) -> None: ...


def give_generic() -> GenericOpener[int]:
    return GenericOpener()


def give_simple() -> SimpleOpener[Db]:
    return SimpleOpener(Db())


def give_opener() -> Opener:
    return Opener()


class DbResource(resources.Resource[Db]):
    def init(self) -> Db:
        return Db()


class AsyncDbResource(resources.AsyncResource[Db]):
    async def init(self) -> Postgres:
        return Postgres()


def traced(function: Callable[..., T]) -> Callable[..., T]:
    @wraps(function)
    def wrapper(*args: object) -> T:
        return function(*args)

    return wrapper


untyped = cast("Callable[..., object]", make_untyped)
opens_untyped = cast("Callable[..., Iterator[Db]]", open_untyped)
opens_bare = cast("Callable[..., Iterator[Db]]", open_bare)
config = providers.Configuration()


class Inner(containers.DeclarativeContainer):
    db = providers.Singleton(Db)


GIVEN: list[tuple[AnyProvider, object]] = [
    (providers.Factory(Repo), Repo),
    (providers.Factory(Repo, db=providers.Factory(Db)), Repo),
    (providers.Factory(make_db), Db),
    (providers.Factory(make_optional), Db | None),
    (providers.Factory(partial(make_db)), Db),
    (providers.Factory(traced(make_db)), Db),
    (providers.Factory(untyped), UNKNOWN),
    (providers.Factory(make_price), UNKNOWN),
    (providers.Factory(managed_db), UNKNOWN),
    (providers.Factory(cast("Callable[..., Db]", providers.Factory(Postgres))), Postgres),
    (providers.Singleton(Repo), Repo),
    (providers.ThreadSafeSingleton(make_db), Db),
    (providers.ThreadLocalSingleton(make_db), Db),
    (providers.ContextLocalSingleton(Db), Db),
    (providers.Callable(make_db), Db),
    (providers.Object(Postgres()), Postgres),
    (providers.Object(3), int),
    (providers.Object(Db), type),
    (providers.Dependency(instance_of=Db), Db),
    (providers.Dependency(instance_of=Db, default=providers.Object(Postgres())), Db),
    (providers.Dependency(), UNKNOWN),
    (providers.Resource(open_db), Db),
    (providers.Resource(open_async), Db),
    (providers.Resource(open_generator), Db),
    (providers.Resource(make_db), Db),
    (providers.Resource(make_async), Db),
    (providers.Resource(managed_db), Db),
    (providers.Resource(managed_async), Db),
    (providers.Resource(hinted_db), Db),
    (providers.Resource(hinted_async), Db),
    (providers.Resource(Db), Db),
    (providers.Resource(Itself), Itself),
    (providers.Resource(Opener), Db),
    (providers.Resource(give_opener), Db),
    (providers.Resource(DbResource), Db),
    (providers.Resource(AsyncDbResource), Postgres),
    (providers.Resource(GenericOpener[int]), UNKNOWN),
    (providers.Resource(cast("type[Db]", GenericOpener)), UNKNOWN),
    (providers.Resource(give_generic), UNKNOWN),
    (providers.Resource(give_simple), UNKNOWN),
    (providers.Factory(open_db), Iterator[Db]),
    (providers.Resource(opens_untyped), UNKNOWN),
    (providers.Resource(opens_bare), UNKNOWN),
    (PerMessage(open_db), Db),
    (PerMessage(open_async), Db),
    (PerMessage(managed_db), Db),
    (PerMessage(managed_async), Db),
    (PerMessage(hinted_db), Db),
    (PerMessage(hinted_async), Db),
    (PerMessage(Itself), Itself),
    (PerMessage(Opener), Db),
    (PerMessage(give_opener), Db),
    (PerMessage(opens_untyped), UNKNOWN),
    (config, dict),
    (config.db.url, UNKNOWN),
    (config.db.port.as_int(), int),
    (config.db.timeout.as_float(), float),
    (config.db.x.as_(make_db), Db),
    (providers.Selector(config.kind, a=providers.Factory(Db), b=providers.Singleton(Repo)), Db | Repo),
    (providers.Selector(config.kind, a=providers.Factory(Db)), Db),
    (providers.Selector(config.kind, a=providers.Factory(Db), b=providers.Factory(untyped)), UNKNOWN),
    (providers.Selector(config.kind), UNKNOWN),
    (providers.List(providers.Factory(Db)), UNKNOWN),
    (providers.Dict(db=providers.Factory(Db)), UNKNOWN),
    (providers.Aggregate(db=providers.Factory(Db)), UNKNOWN),
    (providers.DependenciesContainer(), UNKNOWN),
    (providers.Container(Inner), UNKNOWN),
    (providers.Factory(Repo).provided.db, UNKNOWN),
    (providers.Resource(cast("Callable[..., Db]", providers.Factory(Repo).provided.db)), UNKNOWN),
    (providers.Factory(cast("Callable[..., Db]", providers.Factory(Repo).provided.db)), UNKNOWN),
]


@pytest.mark.parametrize(("provider", "given"), GIVEN)
def test_the_type_that_a_provider_gives_is_read_from_it(provider: AnyProvider, given: object) -> None:
    assert yielded_type(provider) == given


def test_an_overridden_provider_gives_what_overrides_it() -> None:
    provider = providers.Factory(Repo)
    with provider.override(providers.Factory(make_db)):
        assert yielded_type(provider) is Db
        with provider.override(Postgres()):
            assert yielded_type(provider) is Postgres
    assert yielded_type(provider) is Repo


def test_a_provider_is_not_called_to_learn_its_type() -> None:
    def fail() -> Db:
        raise AssertionError

    assert yielded_type(providers.Singleton(fail)) is Db


class Finds(Protocol):
    def find(self, key: str) -> str: ...


class FindsAndKeeps(Finds, Protocol):
    name: str

    @abstractmethod
    def keep(self, key: str) -> None: ...


class Finder:
    def find(self, key: str) -> str:
        return key


class Keeper(Finder):
    def keep(self, key: str) -> None: ...


class Converts(Protocol[T]):
    def convert(self, value: T) -> T: ...


class Options(TypedDict):
    deep: bool


UserId = NewType("UserId", str)
Name = Annotated[str, msgspec.Meta(min_length=1)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Db, Db),
        (Postgres, Db),
        (Db, object),
        (Db, Any),
        (Any, Db),
        (UNKNOWN, Db),
        (Db, MISSING),
        (Db, Db | None),
        (Db, Union[Repo, Db]),  # noqa: UP007
        (type(None), Db | None),
        (None, type(None)),
        (type(None), None),
        (Postgres | None, Db | None),
        (Postgres | Repo, Repo | Db | None),
        (list[int], list[int]),
        (list[int], Sequence[int]),
        (dict, dict[str, Any]),
        (Db, Annotated[Db, "why"]),
        (Annotated[Db, "why"], Db),
        (Name, str),
        (str, Name),
        (int, float),
        (bool, int),
        (str, UserId),
        (UserId, str),
        (str, Literal["a"]),
        (Db, T),
        (type, type[Db]),
        (Finder, Finds),
        (Keeper, FindsAndKeeps),
        (Db, Converts[int] | Db),
        (dict, Options),
        (Options, dict),
        (type(make_db), Callable[[], Db]),
    ],
)
def test_what_may_be_passed_fits(given: object, wanted: object) -> None:
    assert fits(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Db, Postgres),
        (Db, Repo),
        (Db | None, Db),
        (type(None), Db),
        (Db, None),
        (Db, Repo | None),
        (Postgres | Repo, Db),
        (Db | Repo | int, Db | Repo),
        (float, int),
        (str, float),
        (str, int),
        (Name, int),
        (Annotated[Db, "why"], Repo),
        (Db, Annotated[Repo, "why"]),
        (list[int], dict[str, int]),
        (Db, Finds),
        (Finder, FindsAndKeeps),
        (Db, Converts[int]),
        (Db, type[Db]),
        (Db, Callable[[], Db]),
    ],
)
def test_what_may_not_be_passed_does_not_fit(given: object, wanted: object) -> None:
    assert not fits(given, wanted)


@pytest.mark.parametrize(
    "provider",
    [
        providers.Factory(make_async),
        providers.Singleton(make_async),
        providers.Callable(make_async),
        providers.Coroutine(make_async),
        providers.Factory(Repo, db=providers.Factory(make_async)),
        providers.Factory(Repo, db=providers.Factory(Repo, db=providers.Singleton(make_async))),  # type: ignore[arg-type]
        PerMessage(open_db, providers.Factory(make_async)),  # type: ignore[call-arg]
    ],
)
def test_a_coroutine_that_nobody_would_await_is_found(provider: AnyProvider) -> None:
    assert find_unawaited(provider) is make_async


def test_what_is_needed_along_many_ways_is_looked_at_once() -> None:
    provider: AnyProvider = providers.Factory(Repo)
    for _ in range(40):
        provider = providers.Factory(Repo, provider, provider)  # type: ignore[call-arg]
    assert find_unawaited(provider) is None


def test_a_nested_async_generator_is_found() -> None:
    assert find_unawaited(providers.Factory(Repo, db=providers.Factory(open_async))) is open_async  # type: ignore[arg-type]
    assert find_unawaited(providers.Factory(open_async)) is None


@pytest.mark.parametrize(
    "provider",
    [
        providers.Factory(Repo, db=providers.Singleton(make_db)),
        providers.Resource(make_async),
        providers.Resource(Repo, providers.Factory(make_async)),
        providers.Factory(Repo, db=providers.Resource(open_async)),
        PerMessage(open_async),
        providers.Factory(Repo, db=PerMessage(open_async)),
        providers.Object(make_async),
        providers.Factory(cast("type[Coroutine[object, object, Db]]", Coroutine)),
    ],
)
def test_what_somebody_awaits_is_not_found(provider: AnyProvider) -> None:
    assert find_unawaited(provider) is None


def test_what_is_overridden_is_not_awaited() -> None:
    provider = providers.Factory(cast("Callable[[], Awaitable[Db]]", make_async))
    with provider.override(Db()):
        assert find_unawaited(provider) is None
    other = providers.Factory(Repo)
    with other.override(provider):
        assert find_unawaited(other) is make_async


@pytest.mark.parametrize(
    ("provider", "is_async"),
    [
        (providers.Resource(open_async), True),
        (providers.Resource(managed_async), True),
        (providers.Resource(hinted_async), True),
        (providers.Resource(make_async), True),
        (providers.Resource(Opener), True),
        (providers.Resource(give_opener), True),
        (providers.Resource(AsyncDbResource), True),
        (providers.Resource(open_db), False),
        (providers.Resource(hinted_db), False),
        (providers.Resource(make_db), False),
        (providers.Resource(Itself), False),
        (providers.Resource(GenericOpener), False),
        (providers.Resource(DbResource), False),
        (providers.Factory(open_async), False),
        (PerMessage(open_async), False),
    ],
)
def test_a_resource_of_the_event_loop_is_told_apart(provider: AnyProvider, is_async: bool) -> None:
    assert is_async_resource(provider) is is_async


def test_an_override_decides_whether_a_resource_is_of_the_event_loop() -> None:
    provider = providers.Resource(open_async)
    with provider.override(Db()):
        assert not is_async_resource(provider)
        with provider.override(providers.Resource(managed_async)):
            assert is_async_resource(provider)


@pytest.mark.parametrize(
    ("given", "wanted", "missing"),
    [
        (Db, FindsAndKeeps, ["find", "keep"]),
        (Finder, FindsAndKeeps, ["keep"]),
        (Keeper, FindsAndKeeps, []),
        (list[int], Converts[int], ["convert"]),
        (Finder, Db, []),
        (UNKNOWN, Finds, []),
    ],
)
def test_the_methods_that_a_protocol_asks_for_and_a_class_lacks_are_named(
    given: object, wanted: object, missing: list[str]
) -> None:
    assert missing_members(given, wanted) == missing
