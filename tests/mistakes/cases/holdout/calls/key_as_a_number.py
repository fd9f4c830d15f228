"""An idempotency key that is a number."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def name_of(bus: Bus) -> str:
    # wrong
    # ! mypy arg-type: Argument "idempotency_key" to "call" of "Bus" has incompatible type "int"; expected "str | None"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "Literal[17]" cannot be assigned to parameter "idempotency_key" of type "str | None" in function "call"
    # ! pyright reportCallIssue: No overloads for "call" match the provided arguments
    # ! pyright reportUnknownVariableType: Type of "user" is unknown
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = await bus.call(GET_USER, GetUser("u1"), idempotency_key=17)
    # right
    user = await bus.call(GET_USER, GetUser("u1"), idempotency_key="17")
    # both
    # ! pyright strict reportUnknownMemberType: Type of "name" is unknown
    # ! pyright strict reportUnknownVariableType: Return type is unknown
    # ! ty strict unsound-return
    # ! zuban strict no-any-return
    return user.name
