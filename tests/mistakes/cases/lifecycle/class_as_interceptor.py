"""The class of an interceptor, instead of an instance."""

from typing import TypeVar

from daebus import Daebus
from daebus.interceptors import Endpoint, Handle

R = TypeVar("R")


class Timing:
    def __call__(self, _endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
        return handle


# wrong
# ! mypy list-item: List item 0 has incompatible type "type[Timing]"; expected "Interceptor | StreamInterceptor | Observer | OutgoingInterceptor | OutgoingStreamInterceptor"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "list[type[Timing]]" cannot be assigned to parameter "interceptors" of type "Sequence[AnyInterceptor]" in function "__init__"
# ! registration wrong-interceptor: Daebus('users'), interceptor Timing: it is a class; give an instance: Timing()
# ! ty invalid-argument-type
# ! zuban list-item
app = Daebus("users", interceptors=[Timing])
# right
app = Daebus("users", interceptors=[Timing()])


# both
@app.action("ping")
async def ping() -> None: ...
