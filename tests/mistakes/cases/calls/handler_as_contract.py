"""A call with a decorated handler as its contract and a payload of another type."""

from accounts import GetUser, User
from daebus import Blueprint, Bus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


async def name_of(bus: Bus) -> str:
    # wrong
    # ! mypy arg-type: Argument 2 to "call" of "Bus" has incompatible type "str"; expected "GetUser"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "ActionHandler[GetUser, User, (query: GetUser), Coroutine[Any, Any, User]]" cannot be assigned to parameter "action" of type "Action[In@call, Out@call]" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call(get_user, "u1")
    # right
    user = await bus.call(get_user, GetUser("u1"))
    # both
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    # ! ty strict unsound-return
    # ! zuban strict no-any-return
    return user.name
