"""A call without the payload that the action takes."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def show(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy call-arg: Missing positional argument "payload" in call to "call" of "Bus"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Action[GetUser, User]" cannot be assigned to parameter "action" of type "Action[None, Out@call]" in function "call"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    user = await bus.call(GET_USER)
    # right
    user = await bus.call(GET_USER, query)
    # both
    print(user.name)
