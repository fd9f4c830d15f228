"""`bus.call` of an action that streams its replies."""

from accounts import LIST_USERS, GetUser
from daebus import Bus


async def show(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy arg-type: LIST_USERS: it is a StreamAction, and this takes an Action -> use `async for item in stream(...)`
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "StreamAction[GetUser, User]" cannot be assigned to parameter "action" of type "Action[In@call, Out@call]" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call(LIST_USERS, query)
    # ! pyright strict reportUnknownArgumentType: Argument type is unknown
    print(user)
    # right
    async for user in bus.stream(LIST_USERS, query):
        print(user.name)
