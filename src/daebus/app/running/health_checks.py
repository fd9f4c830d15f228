"""The health checks of a running service: its connection to the bus, its event loop, and services that offer one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from dependency_injector import providers

from daebus.errors import Unavailable
from daebus.health.readiness import Check
from daebus.wiring.lookup import path_of

if TYPE_CHECKING:
    from .runtime import Runtime

__all__ = ["checks_of"]

_METHOD = "check_health"


def checks_of(run: Runtime) -> Sequence[Check]:
    """The checks of a service that has started.

    Each resource and singleton of the container, and each component of the user, with a method ``check_health`` is
    checked by it; it takes no arguments, and raises an exception if the object cannot do its work.
    """
    checks = [Check("bus", partial(_check_bus, run)), Check("event loop", partial(_check_lag, run))]
    for name, offered in sorted(_offering(run), key=itemgetter(0)):
        is_async = inspect.iscoroutinefunction(offered)
        checks.append(Check(name, offered if is_async else partial(_in_thread, run, offered), may_cancel=is_async))
    return checks


async def _check_bus(run: Runtime) -> None:
    if not run.node.link.connected:
        raise Unavailable("there is no connection to Redis")
    silence = run.lease.silence
    if silence > run.lease.seconds:
        raise Unavailable(f"no heartbeat has reached Redis for {silence:.1f} s, which is longer than the lease")


async def _check_lag(run: Runtime) -> None:
    lag, most = None if run.watchdog is None else run.watchdog.lag, run.made.settings.max_lag
    if lag is not None and 0 < most <= lag:
        raise Unavailable(f"the event loop was delayed by {lag:.1f} s within the last 10 s")


async def _in_thread(run: Runtime, offered: Callable[..., Any]) -> None:
    await run.made.workers.run(offered)


def _offering(run: Runtime) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The names and the methods of what offers a check."""
    container = run.made.container
    kinds: list[type[providers.Provider[object]]] = [providers.BaseResource[object], providers.BaseSingleton[object]]
    for provider in container.traverse(types=kinds):
        offered = getattr(_made(provider), _METHOD, None)
        if callable(offered):
            yield path_of(container, provider) or "a service without a name", offered
    for attached in run.made.components:
        offered = getattr(attached.component, _METHOD, None)
        if callable(offered):
            yield attached.title, offered


def _made(provider: providers.Provider[object]) -> object:
    """The object of a resource or singleton; None: it offers no check, or is not made yet."""
    overriding = provider.last_overriding
    if overriding is not None:
        return overriding()
    if isinstance(provider, providers.BaseResource):
        resource = cast("providers.Resource[object]", provider)
        return resource() if resource.initialized else None
    provides: object = getattr(provider, "provides", None)
    return provider() if isinstance(provides, type) and hasattr(provides, _METHOD) else None
