"""`bus.stream` of an action that has one reply."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def show(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy arg-type: GET_USER: it is an Action, and this takes a StreamAction -> use call(...), or send(...) if no reply is needed
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Action[GetUser, User]" cannot be assigned to parameter "action" of type "StreamAction[In@stream, Out@stream]" in function "stream"
    # ! pyright reportCallIssue: No overloads for "stream" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    async for user in bus.stream(GET_USER, query):
        # ! pyright strict reportUnknownArgumentType: Argument type is unknown
        print(user)
    # right
    user = await bus.call(GET_USER, query)
    print(user.name)
