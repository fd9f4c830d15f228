"""An interceptor that is written as if it were called for each message."""

from typing import TypeVar

from daebus import Daebus
from daebus.interceptors import Endpoint, Handle, Incoming

R = TypeVar("R")


# wrong
async def timed(_endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
# right
def timed(_endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
# both
    async def handled(incoming: Incoming) -> R:
        return await handle(incoming)

    return handled


# ! mypy list-item: List item 0 has incompatible type "Callable[[Endpoint[R], Callable[[Incoming], Awaitable[R]]], Coroutine[Any, Any, Callable[[Incoming], Awaitable[R]]]]"; expected "Interceptor | StreamInterceptor"
# ! pyright reportArgumentType: Argument of type "list[(_endpoint: Endpoint[R@timed], handle: Handle[R@timed]) -> CoroutineType[Any, Any, Handle[R@timed]]]" cannot be assigned to parameter "interceptors" of type "Sequence[AnyInterceptor]" in function "__init__"
# ! registration wrong-interceptor: Daebus('users'), interceptor timed: it is async, but it is called once, when the service starts, and not for each message; write `def name(endpoint, handle)` that returns `handle`, or an async function of one message
app = Daebus("users", interceptors=[timed])


@app.action("ping")
async def ping() -> None: ...
