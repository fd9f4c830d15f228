"""A header whose value is a number."""

from accounts import GET_USER, GetUser, User
from daebus import Bus


async def ask(bus: Bus) -> User:
    # wrong
    # ! mypy dict-item: Dict entry 0 has incompatible type "str": "int"; expected "str": "str"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "dict[str, int]" cannot be assigned to parameter "headers" of type "Mapping[str, str] | None" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Return type is unknown
    # ! ty no-matching-overload
    # ! ty unsound-return
    # ! zuban arg-type
    return await bus.call(GET_USER, GetUser("1"), headers={"x-tenant": 7})
    # right
    return await bus.call(GET_USER, GetUser("1"), headers={"x-tenant": "7"})
