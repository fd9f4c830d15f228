"""A forgotten `await` before `bus.send`, whose result is not used: nothing is sent."""

from accounts import GET_USER, GetUser
from daebus import Bus


async def refresh(bus: Bus, query: GetUser) -> None:
    # wrong
    # ! mypy unused-coroutine: Value of type "Coroutine[Any, Any, None]" must be used
    # ! pyrefly unused-coroutine
    # ! pyright reportUnusedCoroutine: Result of async function call is not used; use "await" or assign result to variable
    # ! ty strict unused-awaitable
    bus.send(GET_USER, query)
    # right
    await bus.send(GET_USER, query)
