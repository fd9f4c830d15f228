"""The interceptors that docs/guide.md shows, piece by piece."""

import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import TypeVar

from dependency_injector import providers

from daebus import Blueprint, Daebus, DaebusHttp, ServiceContainer
from daebus.errors import BadRequest
from daebus.interceptors import Endpoint, Handle, Incoming, Observe, StreamHandle

R = TypeVar("R")

_tenant: ContextVar[str] = ContextVar("tenant")


class Timing:
    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)

    def __call__(self, endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
        async def timed(incoming: Incoming) -> R:
            begun = time.perf_counter()
            try:
                return await handle(incoming)
            finally:
                self.seconds[endpoint.title].append(time.perf_counter() - begun)

        return timed

    def stream(self, endpoint: Endpoint[R], handle: StreamHandle[R]) -> StreamHandle[R]:
        async def timed(incoming: Incoming) -> AsyncGenerator[R]:
            begun = time.perf_counter()
            try:
                async for item in handle(incoming):
                    yield item
            finally:
                self.seconds[endpoint.title].append(time.perf_counter() - begun)

        return timed


class Failures:
    def __init__(self) -> None:
        self.numbers: Counter[str] = Counter()

    def observing(self, endpoint: Endpoint[object]) -> Observe:
        def observe(incoming: Incoming, reply: object, error: BaseException | None, seconds: float) -> None:
            if error is not None:
                self.numbers[endpoint.title] += 1

        return observe


class Tenant:
    def __init__(self, name: str) -> None:
        self.name = name


def with_tenant(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
    if not any(parameter.annotation is Tenant for parameter in endpoint.signature.right):
        return handle  # no cost for handlers that do not ask for it

    async def handled(incoming: Incoming) -> R:
        name = incoming.headers.get("x-tenant")
        if name is None:
            raise BadRequest("Send the header X-Tenant")
        token = _tenant.set(name)
        try:
            return await handle(incoming)
        finally:
            _tenant.reset(token)

    return handled


def current_tenant() -> Tenant:
    return Tenant(_tenant.get())


class Container(ServiceContainer):
    tenant = providers.Factory(current_tenant)


orders = Blueprint("orders", services=Container)


@orders.route("/orders")
async def list_orders(*, tenant: Tenant) -> str:
    return f"orders of {tenant.name}"


@orders.route("/health")
async def health() -> str:
    return "well"


timing = Timing()
failures = Failures()
app = Daebus("orders", container=Container(), interceptors=[timing, failures, with_tenant])
app.attach(DaebusHttp(port=0))
app.register_blueprint(orders)
