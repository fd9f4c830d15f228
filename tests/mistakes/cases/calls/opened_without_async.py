"""`with` around a bus, instead of `async with`."""

from accounts import COUNT_USERS
from daebus import Bus


async def count() -> int:
    # wrong
    # ! mypy attr-defined: "Bus" has no attribute "__enter__"
    # ! mypy attr-defined: "Bus" has no attribute "__exit__"
    # ! pyrefly bad-context-manager
    # ! pyright reportGeneralTypeIssues: Object of type "Bus" cannot be used with "with" because it does not correctly implement __enter__
    # ! pyright reportGeneralTypeIssues: Object of type "Bus" cannot be used with "with" because it does not correctly implement __exit__
    # ! pyright reportUnknownVariableType: Type of "bus" is unknown
    # ! ty invalid-context-manager
    # ! zuban attr-defined
    # ! zuban attr-defined
    with Bus("redis://localhost") as bus:
        # ! mypy strict no-any-return: Returning Any from function declared to return "int"
        # ! pyright strict reportUnknownMemberType: Type of "call" is unknown
        # ! pyright strict reportUnknownVariableType: Return type is unknown
        # ! ty strict unsound-return
        # ! zuban strict no-any-return
        return await bus.call(COUNT_USERS)
    # right
    async with Bus("redis://localhost") as bus:
        return await bus.call(COUNT_USERS)
