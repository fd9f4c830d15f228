from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from types import NoneType
from typing import Annotated, Any, Generic, TypeVar, cast

import msgspec
import pytest

from daebus.declare.contracts import Action, Channel, Contract, Message, StreamAction
from daebus.errors import WiringError
from daebus.mistakes.places import show_path
from daebus.payloads.encodable import Encodable

T = TypeVar("T")
Payload = TypeVar("Payload", bound=Encodable)
Reply = TypeVar("Reply", bound=Encodable)

Email = Annotated[str, msgspec.Meta(pattern="@", extra={"unhashable": []})]


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str
    name: str = ""


class Created(msgspec.Struct, tag="created"):
    id: str


class Deleted(msgspec.Struct, tag="deleted"):
    id: str


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


def make(kind: object, *arguments: object) -> Any:
    """Parametrise as no type checker would let us."""
    return kind[arguments if len(arguments) != 1 else arguments[0]]  # type: ignore[index]


def refusal(wrong: Callable[[], object]) -> str:
    with pytest.raises(WiringError) as caught:
        wrong()
    (problem,) = caught.value.problems
    place, _, line = problem.where.rpartition(":")
    assert place == show_path(__file__)
    assert int(line) > 0
    return f"{problem.subject}: {problem.found}; {problem.remedy}"


def test_a_contract_knows_its_name_service_and_types() -> None:
    action = Action[GetUser, User]("get_user", service="users")
    assert (action.name, action.service, action.types) == ("get_user", "users", (GetUser, User))
    assert StreamAction[GetUser, User]("all").service is None
    assert Message[User]("online").types == (User,)


def test_none_is_a_type_like_any_other() -> None:
    assert Action[None, User]("list").types == (NoneType, User)
    assert Action[User, None]("put").types == (User, NoneType)
    assert Action[None, User]("list") == make(Action, NoneType, User)("list")


def test_a_channel_takes_a_union_of_events() -> None:
    channel = Channel[Created | Deleted]("users", durable=True, retention=60)
    assert channel.types == (Created | Deleted,)
    assert (channel.durable, channel.retention) == (True, 60)


def test_a_channel_is_not_durable_and_keeps_a_week_unless_said_otherwise() -> None:
    channel = Channel[Created]("users")
    assert (channel.durable, channel.retention) == (False, 7 * 24 * 3600)


def test_the_types_are_known_while_a_subclass_is_constructed() -> None:
    class Query(Action[GetUser, User]):
        def __init__(self, name: str) -> None:
            super().__init__(f"{name}_of_{len(self.types)}")

    assert Query("get").name == "get_of_2"
    assert Query("get").types == (GetUser, User)


def test_a_generic_subclass_keeps_its_type_variables_until_they_are_given() -> None:
    class Query(Action[Payload, Reply], Generic[Payload, Reply]):
        pass

    assert Query[GetUser, User]("get").types == (GetUser, User)
    assert "this Query has no types" in refusal(lambda: make_plain(Query))


def test_contracts_are_equal_by_kind_name_service_and_types() -> None:
    action = Action[GetUser, User]("get_user", service="users")
    same = Action[GetUser, User]("get_user", service="users")
    assert action == same
    assert hash(action) == hash(same)
    others: list[object] = [
        Action[GetUser, User]("get_users", service="users"),
        Action[GetUser, User]("get_user", service="other"),
        Action[GetUser, None]("get_user", service="users"),
        StreamAction[GetUser, User]("get_user", service="users"),
        "get_user",
    ]
    assert all(action != other for other in others)


def test_types_that_only_compare_equal_are_told_apart() -> None:
    assert Action[int, User] is not Action[float, User]
    assert make(Channel, Deleted | Created)("x").types == make(Channel, Created | Deleted)("x").types


def test_a_type_with_unhashable_metadata_is_taken() -> None:
    assert Action[Email, None]("invite").types == (Email, NoneType)


def test_a_generic_struct_is_a_type_with_and_without_its_argument() -> None:
    assert Action[None, Page[User]]("list").types == (NoneType, Page[User])
    assert make(Channel, Page)("pages").types == (Page,)


def test_a_contract_never_changes() -> None:
    action = Action[GetUser, User]("get_user")
    with pytest.raises(AttributeError, match="is immutable: cannot set name"):
        action.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="is immutable: cannot delete name"):
        del action.name  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AttributeError, match="is immutable"):
        action.other = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_copy_of_a_contract_is_the_same_object() -> None:
    channel = Channel[Created]("users")
    assert copy.copy(channel) is channel
    assert copy.deepcopy({"a": [channel]})["a"][0] is channel


def test_the_text_of_a_contract_is_how_it_is_written() -> None:
    assert repr(Action[GetUser, None]("get", service="users")) == "Action[GetUser, None]('get', service='users')"
    assert repr(Message[list[int]]("numbers")) == "Message[list[int]]('numbers')"


@pytest.mark.parametrize("kind", [Action, StreamAction, Channel, Message])
def test_a_contract_without_types_is_refused(kind: type[Contract]) -> None:
    problem = refusal(lambda: make_plain(kind))
    assert problem.startswith(f"{kind.__name__}('x'): this {kind.__name__} has no types")


def make_plain(kind: Callable[..., object]) -> object:
    return kind("x")


def test_a_type_variable_is_no_type() -> None:
    assert "this Action has no types" in refusal(lambda: make(Action, T, User)("x"))
    assert "this Channel has no types" in refusal(lambda: make(Channel, make(list, T))("x"))


def test_a_type_as_text_is_refused() -> None:
    assert "the type is a string, which cannot be resolved here" in refusal(lambda: make(Action, "GetUser", User))


@pytest.mark.parametrize(
    ("kind", "arguments", "wanted"),
    [
        (Action, (GetUser,), "write Action[In, Out] once"),
        (Action, (GetUser, User, User), "write Action[In, Out] once"),
        (StreamAction, (GetUser,), "write StreamAction[In, Item] once"),
        (Channel, (Created, Deleted), "write Channel[Event] once"),
        (Action[GetUser, User], (User,), "takes 0; write Action[...] once"),
    ],
)
def test_the_wrong_number_of_types_is_refused(kind: object, arguments: tuple[object, ...], wanted: str) -> None:
    assert wanted in refusal(lambda: make(kind, *arguments))


def test_an_empty_name_is_refused() -> None:
    assert "the name is empty" in refusal(lambda: Action[GetUser, User](""))


@pytest.mark.parametrize("retention", [0, -1, float("nan")])
def test_a_channel_that_keeps_nothing_is_refused(retention: float) -> None:
    assert "which must be a number of seconds above 0" in refusal(
        lambda: Channel[Created]("users", durable=True, retention=retention)
    )


def test_a_retention_of_a_channel_that_keeps_nothing_is_refused() -> None:
    wrong = cast("Any", Channel[Created])
    assert "is not durable, so it keeps no events" in refusal(lambda: wrong("users", retention=3600))


@pytest.mark.parametrize("name", ["a b", "a\n", "a{b}", "a\tb", "\x00", "a:b"])
def test_a_name_that_would_break_a_key_is_refused(name: str) -> None:
    assert f"the name {name!r} contains" in refusal(lambda: Action[GetUser, User](name))
    assert f"the name {name!r} contains" in refusal(lambda: StreamAction[GetUser, User]("a", service=name))


def test_a_service_without_a_name_is_refused() -> None:
    assert "Action('a', service=''): the name is empty" in refusal(lambda: Action[GetUser, User]("a", service=""))


def test_names_of_other_alphabets_and_with_dots_are_accepted() -> None:
    assert Action[GetUser, User]("v1.größe-名", service="a.b-c_d").name == "v1.größe-名"


def test_a_channel_may_have_colons_but_for_those_of_daebus_itself() -> None:
    assert Channel[Created]("users:created").name == "users:created"
    assert Message[Created]("users:created").name == "users:created"
    assert "begin with 'daebus:'" in refusal(lambda: Channel[Created]("daebus:reply:1"))
    assert "contains ' '" in refusal(lambda: Channel[Created]("a b"))


def test_structs_without_tags_are_refused_with_the_remedy() -> None:
    told = refusal(lambda: Channel[GetUser | User]("users"))
    assert "must be tagged" in told
    assert "give each of them a tag: class Created(msgspec.Struct, tag=True)" in told


def test_parametrised_contracts_are_made_once() -> None:
    assert Action[GetUser, User] is Action[GetUser, User]
    before = len(gc.get_objects())
    for _ in range(1_000):
        make(Action, GetUser, User)
    assert len(gc.get_objects()) - before < 500
