"""An interceptor that is `async def`."""

from typing import TypeVar

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus
from daebus.interceptors import Endpoint, Handle

R = TypeVar("R")


# wrong
async def timing(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
    print(endpoint.title)
    return handle


# right
def timing(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
    print(endpoint.title)
    return handle


# both


users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# ! mypy list-item: List item 0 has incompatible type "Callable[[Endpoint[R], Callable[[Incoming], Awaitable[R]]], Coroutine[Any, Any, Callable[[Incoming], Awaitable[R]]]]"; expected "Interceptor | StreamInterceptor | Observer | OutgoingInterceptor | OutgoingStreamInterceptor"
# ! pyright reportArgumentType: Argument of type "list[(endpoint: Endpoint[R@timing], handle: Handle[R@timing]) -> CoroutineType[Any, Any, Handle[R@timing]]]" cannot be assigned to parameter "interceptors" of type "Sequence[AnyInterceptor]" in function "__init__"
# ! registration wrong-interceptor: Daebus('users'), interceptor timing: it is async, but it is called once, when the service starts, and not for each message; write `def name(endpoint, handle)` that returns `handle`, or an async function of one message
# ! ty invalid-argument-type
# ! zuban list-item
app = Daebus("users", container=Container(), interceptors=[timing])
app.register_blueprint(users)
