"""A value of `after=` that does not exist."""

from accounts import USER_EVENTS, Created
from daebus import Bus


async def ask(bus: Bus) -> None:
    # wrong
    # ! mypy arg-type: Argument "after" to "publish" of "Bus" has incompatible type "Literal['rollback']"; expected "Literal['commit'] | None"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Literal['rollback']" cannot be assigned to parameter "after" of type "After" in function "publish"
    # ! ty invalid-argument-type
    # ! zuban arg-type
    await bus.publish(USER_EVENTS, Created("1"), after="rollback")
    # right
    await bus.publish(USER_EVENTS, Created("1"), after="commit")
