"""An interceptor that takes the function alone, like a decorator."""

from typing import TypeVar

from daebus import Daebus
from daebus.interceptors import Endpoint, Handle

R = TypeVar("R")


# wrong
def quiet(handle: Handle[R]) -> Handle[R]:
    return handle


# right
def quiet(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
    return handle


# both
# ! mypy list-item: List item 0 has incompatible type "Callable[[Callable[[Incoming], Awaitable[R]]], Callable[[Incoming], Awaitable[R]]]"; expected "Interceptor | StreamInterceptor | Observer | OutgoingInterceptor | OutgoingStreamInterceptor"
# ! pyright reportArgumentType: Argument of type "list[(handle: Handle[R@quiet]) -> Handle[R@quiet]]" cannot be assigned to parameter "interceptors" of type "Sequence[AnyInterceptor]" in function "__init__"
# ! registration wrong-interceptor: Daebus('users'), interceptor quiet: it does not take two arguments, the endpoint and the function `handle`; write `def name(endpoint, handle)` that returns `handle`, or an async function of one message
# ! ty invalid-argument-type
# ! zuban list-item
app = Daebus("users", interceptors=[quiet])


@app.action("ping")
async def ping() -> None: ...
