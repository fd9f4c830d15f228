from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncIterator, Callable
from types import NoneType
from typing import cast

import msgspec
import pytest
from tests.support import recorded

from daebus.core.context import Context
from daebus.declare.contracts import Action, StreamAction
from daebus.declare.decorated import ActionHandler, StreamHandler, action_types, payload_parameters, undecorated
from daebus.declare.recorder import Recorder
from daebus.declare.signatures import read_signature
from daebus.errors import WiringError, WiringProblem


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str


GET_USER = Action[GetUser, User]("get_user", service="users")


@pytest.fixture
def users() -> Recorder:
    return Recorder("users", namespace="v1")


def refusal(function: Callable[..., object]) -> WiringProblem:
    with pytest.raises(WiringError) as caught:
        action_types(read_signature(function))
    (problem,) = caught.value.problems
    return problem


def test_the_payload_is_what_stands_left_of_the_star_without_the_context() -> None:
    def handler(context: Context, query: GetUser, *, repo: int) -> User:
        return User(query.id)

    signature = read_signature(handler)
    assert [parameter.name for parameter in payload_parameters(signature)] == ["query"]
    assert action_types(signature) == (GetUser, User)


def test_the_context_may_stand_behind_the_payload() -> None:
    def handler(query: GetUser, context: Context) -> None: ...

    assert action_types(read_signature(handler)) == (GetUser, NoneType)


def test_an_action_without_a_payload_takes_none() -> None:
    def handler(context: Context, *, repo: int) -> list[User]:
        return []

    assert action_types(read_signature(handler)) == (NoneType, list[User])


def test_an_action_with_two_payloads_is_refused() -> None:
    def handler(query: GetUser, repo: dict[str, User]) -> None: ...

    problem = refusal(handler)
    assert problem.subject.startswith("handler(repo: dict[")
    assert problem.found == "an action has one payload, and 'query' is already the payload"
    assert problem.remedy.startswith("put a bare * before 'repo' if it is a service")


def test_a_payload_without_annotation_is_refused() -> None:
    def handler(query) -> None:  # type: ignore[no-untyped-def]
        ...

    assert refusal(cast("Callable[..., object]", handler)).found.startswith("it has no annotation")


def test_an_action_whose_reply_is_not_annotated_is_refused() -> None:
    def handler(query: GetUser):  # type: ignore[no-untyped-def]
        ...

    async def stream(query: GetUser):  # type: ignore[no-untyped-def]
        yield query

    assert refusal(handler).remedy == "annotate it: -> Reply, or -> None"
    assert refusal(stream).remedy == "annotate it: -> AsyncIterator[Item]"


async def test_a_decorated_action_is_still_the_function_that_it_was(users: Recorder) -> None:
    @users.action("get_user")
    async def get_user(query: GetUser, *, suffix: str = "!") -> User:
        """Finds a user."""
        return User(query.id + suffix)

    assert await get_user(GetUser("1"), suffix="?") == User("1?")
    assert await get_user(GetUser("1")) == User("1!")
    assert (get_user.__name__, get_user.__doc__, get_user.__module__) == ("get_user", "Finds a user.", __name__)
    assert get_user.__qualname__.endswith("<locals>.get_user")
    assert list(inspect.signature(get_user).parameters) == ["query", "suffix"]


def test_a_decorated_plain_function_is_called_directly(users: Recorder) -> None:
    @users.action("double")
    def double(number: int) -> int:
        return number * 2

    assert double(4) == 8


async def test_a_decorated_stream_is_still_an_async_generator(users: Recorder) -> None:
    @users.action("count")
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number

    assert isinstance(count, StreamHandler)
    assert [number async for number in count(3)] == [0, 1, 2]


def test_a_decorated_name_is_an_action_with_the_types_of_its_signature(users: Recorder) -> None:
    @users.action("get_user")
    async def get_user(context: Context, query: GetUser) -> User:
        return User(query.id)

    assert isinstance(get_user, Action)
    assert not isinstance(get_user, StreamAction)
    assert (get_user.name, get_user.service, get_user.types) == ("v1.get_user", None, (GetUser, User))


def test_a_decorated_generator_is_a_stream_action_with_the_type_of_its_items(users: Recorder) -> None:
    @users.action("all")
    async def all_users() -> AsyncIterator[User]:
        yield User("1")

    assert isinstance(all_users, StreamAction)
    assert not isinstance(all_users, Action)
    assert all_users.types == (NoneType, User)


def test_a_handler_of_a_contract_has_its_name_service_and_types(users: Recorder) -> None:
    @users.action(GET_USER)
    async def anything(query: GetUser) -> User:
        return User(query.id)

    assert (anything.name, anything.service, anything.types) == ("get_user", "users", (GetUser, User))


def test_the_types_of_a_handler_may_be_defined_below_it(users: Recorder) -> None:
    @users.action("later")
    async def later() -> Below:
        return Below(1)

    assert later.types == (NoneType, Below)


class Below(msgspec.Struct):
    number: int


def test_a_handler_whose_types_are_wrong_says_so_when_it_is_used_as_an_action(users: Recorder) -> None:
    @users.action("wrong")
    async def wrong(first: int, second: int) -> None: ...  # type: ignore[daebus-signature]

    with pytest.raises(WiringError, match="an action has one payload"):
        _ = wrong.types


def test_a_decorated_action_never_changes_and_is_not_copied(users: Recorder) -> None:
    @users.action("get_user")
    async def get_user(query: GetUser) -> User:
        return User(query.id)

    assert copy.deepcopy(get_user) is get_user
    with pytest.raises(AttributeError, match="is immutable"):
        get_user.name = "other"  # type: ignore[misc]


def test_two_handlers_differ_where_their_names_do(users: Recorder) -> None:
    def handler() -> None: ...

    first, second, again = users.action("a")(handler), users.action("b")(handler), users.action("a")(handler)
    assert first == again
    assert hash(first) == hash(again)
    assert first != second
    assert repr(first) == "ActionHandler[None, None]('v1.a')"


async def test_decorators_can_be_stacked_in_any_order(users: Recorder) -> None:
    @users.background("cleanup", 3600)
    @users.action("cleanup")
    @users.on_start()
    async def cleanup() -> None: ...

    assert isinstance(cleanup, ActionHandler)
    assert {type(spec.function) for spec in recorded(users)} == {type(undecorated(cleanup))}
    assert [spec.title for spec in recorded(users)] == ["on_start cleanup", "action v1.cleanup", "background cleanup"]
    assert all(spec.read_signature().is_async for spec in recorded(users))


def test_what_was_not_decorated_is_its_own_function() -> None:
    assert undecorated(refusal) is refusal
