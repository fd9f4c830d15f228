"""A component whose `serving()` is a generator instead of a context manager."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from daebus import Daebus, ServiceRun


class Metrics:
    # wrong
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        yield

    # right
    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        yield

    # both


app = Daebus("users")
# ! mypy arg-type: Argument 1 to "attach" of "Daebus" has incompatible type "Metrics"; expected "DaebusHttp | DaebusWebSocket | Component"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Metrics" cannot be assigned to parameter "component" of type "DaebusHttp | DaebusWebSocket | Component" in function "attach"
# ! registration wrong-component: attach(Metrics()): its serving() does not return an async context manager; decorate it with @contextlib.asynccontextmanager, and yield once
# ! ty invalid-argument-type
# ! zuban arg-type
app.attach(Metrics())


@app.action("ping")
async def ping() -> None: ...
