"""Two singletons and one factory into one async handler, in all the ways; each job is a loop of calls."""

import asyncio
import time
from typing import Annotated

from dependency_injector import providers
from dependency_injector.wiring import Provide
from dependency_injector.wiring import inject as di_inject
from dishka import Provider, Scope, make_async_container
from dishka.integrations.base import FromDishka, wrap_injection
from driving import answer_jobs
from fast_depends import Depends
from fast_depends import inject as fast_inject

from daebus import Daebus, ServiceContainer
from daebus.core.context import Context
from daebus.delivery.dispatch import dispatch
from daebus.delivery.endpoint import Incoming


class Repo: ...


class Clock: ...


class Token: ...


class Container(ServiceContainer):
    repo = providers.Singleton(Repo)
    clock = providers.Singleton(Clock)
    token = providers.Factory(Token)


container = Container()


async def handler(*, repo: Repo, clock: Clock, token: Token) -> None: ...


def closure():
    """By hand, over the same providers, which can be overridden as well."""
    return lambda: handler(repo=container.repo(), clock=container.clock(), token=container.token())


def _endpoint():
    app = Daebus("injection", container=container)
    app.action("handler")(handler)
    ((_, endpoint),) = app.check().plans.compiled()
    return endpoint


def daebus():
    """What `dispatch` does for the services alone: is there anything to be opened, and the call."""
    return _endpoint().call_directly


def daebus_dispatch():
    """All of `dispatch`: the context, the payload, the services, the reply."""
    endpoint = _endpoint()
    incoming = Incoming(Context(request_id="1", service="injection", handler="handler"))
    return lambda: dispatch(endpoint, incoming)


def dependency_injector():
    @di_inject
    async def call(
        repo: Repo = Provide[Container.repo],
        clock: Clock = Provide[Container.clock],
        token: Token = Provide[Container.token],
    ) -> None: ...

    globals()["_call"] = call  # wiring looks at the names of modules
    container.wire(modules=[__name__])
    return globals()["_call"]


def dishka():
    provider = Provider()
    provider.provide(Repo, scope=Scope.APP)
    provider.provide(Clock, scope=Scope.APP)
    provider.provide(Token, scope=Scope.REQUEST)
    made = make_async_container(provider)

    async def call(repo: FromDishka[Repo], clock: FromDishka[Clock], token: FromDishka[Token]) -> None: ...

    return wrap_injection(func=call, container_getter=lambda *_: made, is_async=True, manage_scope=True)


def fast_depends():
    made = Repo(), Clock()

    # Coroutines: it would run plain functions in threads.
    async def repo() -> Repo:
        return made[0]

    async def clock() -> Clock:
        return made[1]

    async def token() -> Token:
        return Token()

    @fast_inject(cast=False)
    async def call(
        repo: Annotated[Repo, Depends(repo)],
        clock: Annotated[Clock, Depends(clock)],
        token: Annotated[Token, Depends(token)],
    ) -> None: ...

    return call


WAYS = {way.__name__: way() for way in (closure, daebus, daebus_dispatch, dependency_injector, dishka, fast_depends)}
BATCH = 200


async def answer(job):
    call, calls = WAYS[job["operation"]], 0
    started = time.process_time()
    deadline = started + job["seconds"]
    while (now := time.process_time()) < deadline:
        for _ in range(BATCH):
            await call()
        calls += BATCH
    return {"ns": (now - started) / calls * 1e9}


asyncio.run(answer_jobs(answer))
