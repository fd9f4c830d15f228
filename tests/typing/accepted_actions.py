"""Every shape of an action: what the decorated name is for callers, and that it stays the function that it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import assert_type

from daebus import Action, BlockingBus, Blueprint, Bus, Context, Daebus, Settings, StreamAction

from .things import (
    ALL_USERS,
    COUNT_USERS,
    DELETE_USER,
    FIND_USER,
    GET_USER,
    TICKS,
    Admin,
    Container,
    GetUser,
    User,
    UserRepo,
)

named = Blueprint("named", services=Container)


@named.action("a")
async def payload(query: GetUser, *, repo: UserRepo) -> User:
    return User(query.id)


@named.action("b", concurrency=3, retries=0, backoff=0.5, max_backoff=60, timeout=2, keep_replies=3600)
async def no_payload(*, repo: UserRepo) -> list[User]:
    return []


@named.action("c")
async def nothing_at_all() -> None: ...


@named.action("d")
async def context_and_payload(context: Context, query: GetUser, *, repo: UserRepo) -> User:
    return User(context.request_id)


@named.action("e")
async def context_alone(context: Context, *, repo: UserRepo) -> str:
    return context.request_id


@named.action("f")
def blocking_payload(query: GetUser, *, repo: UserRepo) -> User:
    return User(query.id)


@named.action("g")
def blocking_no_payload(*, repo: UserRepo) -> int:
    return 3


@named.action("h")
def blocking_context_and_payload(context: Context, query: GetUser) -> User:
    return User(query.id)


@named.action("i")
def blocking_context_alone(context: Context) -> str:
    return context.request_id


@named.action("j")
async def stream_payload(query: GetUser, *, repo: UserRepo) -> AsyncIterator[User]:
    yield User(query.id)


@named.action("k")
async def stream_no_payload(*, repo: UserRepo) -> AsyncGenerator[int, None]:
    yield 1


@named.action("l")
async def stream_context_and_payload(context: Context, query: GetUser) -> AsyncIterator[User]:
    yield User(query.id)


@named.action("m")
async def stream_context_alone(context: Context) -> AsyncIterator[str]:
    yield context.request_id


async def what_callers_get(bus: Bus) -> None:
    assert_type(await bus.call(payload, GetUser("1")), User)
    assert_type(await bus.call(no_payload), list[User])
    assert_type(await bus.call(no_payload, timeout=1, service="users"), list[User])
    assert_type(await bus.call(nothing_at_all), None)
    assert_type(await bus.call(context_and_payload, GetUser("1")), User)
    assert_type(await bus.call(context_alone), str)
    assert_type(await bus.call(blocking_payload, GetUser("1")), User)
    assert_type(await bus.call(blocking_no_payload), int)
    assert_type(await bus.call(blocking_context_and_payload, GetUser("1")), User)
    assert_type(await bus.call(blocking_context_alone), str)
    assert_type(await bus.call(payload, GetUser("1"), idempotency_key="k"), User)
    assert_type(await bus.call(no_payload, idempotency_key=None), list[User])
    assert_type(await bus.send(payload, GetUser("1"), idempotency_key="k"), None)
    assert_type(await bus.send(payload, GetUser("1")), None)
    assert_type(await bus.send(no_payload), None)
    async for user in bus.stream(stream_payload, GetUser("1")):
        assert_type(user, User)
    async for number in bus.stream(stream_no_payload):
        assert_type(number, int)
    async for user in bus.stream(stream_context_and_payload, GetUser("1")):
        assert_type(user, User)
    async for text in bus.stream(stream_context_alone):
        assert_type(text, str)


def what_blocking_callers_get(bus: BlockingBus) -> None:
    assert_type(bus.call(payload, GetUser("1")), User)
    assert_type(bus.call(no_payload), list[User])
    assert_type(bus.call(GET_USER, GetUser("1")), User)
    assert_type(bus.call(COUNT_USERS, idempotency_key="k"), int)
    assert_type(bus.send(DELETE_USER, GetUser("1")), None)
    for user in bus.stream(stream_payload, GetUser("1")):
        assert_type(user, User)
    for number in bus.stream(TICKS):
        assert_type(number, int)


async def what_a_contract_gives(bus: Bus) -> None:
    assert_type(await bus.call(GET_USER, GetUser("1"), timeout=2), User)
    assert_type(await bus.call(COUNT_USERS), int)
    assert_type(await bus.call(DELETE_USER, GetUser("1")), None)
    assert_type(await bus.call(FIND_USER, GetUser("1")), User | None)
    assert_type(await bus.call(Action[dict[str, int], str]("x", service="y"), {"a": 1}), str)
    async for user in bus.stream(ALL_USERS, GetUser("1")):
        assert_type(user, User)
    async for number in bus.stream(TICKS):
        assert_type(number, int)


def what_a_decorated_name_is() -> None:
    action: Action[GetUser, User] = payload
    wider: Action[GetUser, User | None] = payload
    stream: StreamAction[GetUser, User] = stream_payload
    assert_type(action.name, str)
    assert_type((wider.service, stream.types), tuple[str | None, tuple[object, ...]])


async def a_decorated_name_is_still_a_function(repo: UserRepo, context: Context) -> None:
    assert_type(await payload(GetUser("1"), repo=repo), User)
    assert_type(await no_payload(repo=repo), list[User])
    assert_type(await context_and_payload(context, GetUser("1"), repo=repo), User)
    assert_type(blocking_payload(GetUser("1"), repo=repo), User)
    assert_type(blocking_no_payload(repo=repo), int)
    assert_type(await get_user(GetUser("1"), repo=repo), User)
    async for user in stream_payload(GetUser("1"), repo=repo):
        assert_type(user, User)


contracts = Blueprint("contracts", services=Container)


@contracts.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return User(query.id)


@contracts.action(FIND_USER)
async def less_than_promised(query: GetUser, *, repo: UserRepo) -> Admin:
    return Admin(query.id)


@contracts.action(DELETE_USER, retries=8, timeout=0.5)
async def with_context(context: Context, query: GetUser, *, repo: UserRepo) -> None: ...


@contracts.action(COUNT_USERS)
async def count_users(*, repo: UserRepo) -> int:
    return 3


@contracts.action(ALL_USERS)
async def all_users(query: GetUser, *, repo: UserRepo) -> AsyncIterator[User]:
    yield User(query.id)


@contracts.action(TICKS, timeout=60)
async def ticks(*, repo: UserRepo) -> AsyncGenerator[int]:
    yield 1


blocking = Blueprint("blocking", services=Container)


@blocking.action(GET_USER)
def blocking_get_user(context: Context, query: GetUser, *, repo: UserRepo) -> User:
    return User(query.id)


@blocking.action(FIND_USER)
def takes_more_than_it_must(query: GetUser | User) -> Admin | None:
    return None


@blocking.action(COUNT_USERS)
def blocking_count_users(context: Context) -> int:
    return 3


@blocking.action(ALL_USERS)
async def stream_with_context(context: Context, query: GetUser) -> AsyncIterator[Admin]:
    yield Admin(query.id)


@blocking.action(TICKS)
async def ticks_with_context(context: Context) -> AsyncIterator[int]:
    yield 1


app = Daebus("tests", container=Container(), settings=Settings(on_conflict="warn"))
app.register_blueprint(named)
app.register_blueprint(contracts)
