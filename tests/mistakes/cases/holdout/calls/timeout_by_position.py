"""The timeout of a call by position, where it needs its name."""

from accounts import GET_USER, GetUser, User
from daebus import Bus


async def ask(bus: Bus) -> User:
    # wrong
    # ! mypy arg-type: Argument 3 to "call" of "Bus" has incompatible type "float"; expected "str | None"
    # ! mypy call-arg: Too many positional arguments for "call" of "Bus"
    # ! pyrefly no-matching-overload
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty no-matching-overload
    # ! ty unsound-return
    # ! zuban call-overload
    # ! zuban no-any-return
    return await bus.call(GET_USER, GetUser("1"), 5.0)
    # right
    return await bus.call(GET_USER, GetUser("1"), timeout=5.0)
