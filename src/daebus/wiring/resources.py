"""Opens the resources of a container in the order of their dependencies, and closes them in reverse."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias

from dependency_injector import containers, providers

from daebus.errors import DaebusError, StartupError
from daebus.mistakes.places import place_of, place_of_class
from daebus.telemetry.logs import Logger

from .lookup import name_of, path_of

__all__ = ["Resource", "cause_of", "not_opened", "open_resources", "resources_in_order"]

AnyProvider = providers.Provider[object]
Resource = providers.BaseResource[object]
Close: TypeAlias = Callable[[Awaitable[object], str], Awaitable[None]]

# Singletons must not keep these from one run to the next: they are closed, or belong to the run.
_OF_ONE_RUN: tuple[type[AnyProvider], ...] = (providers.BaseResource, providers.Dependency)


@asynccontextmanager
async def open_resources(
    container: containers.Container,
    explain: Callable[[Resource, Exception], Exception] | None = None,
    close: Close | None = None,
) -> AsyncGenerator[None]:
    """Open each Resource after its dependencies; close them in reverse, also if one fails to open.

    Overridden resources are not opened, as their overrides are ready to use. At the end, singletons that use a Resource
    or a Dependency are reset, so that the next run builds new ones.

    Args:
        container: The container.
        explain: Returns the exception to raise if a resource fails to open; default: the original exception.
        close: Awaits the closing of a resource, given the name of its opening function; None: it is simply awaited.
    """
    async with AsyncExitStack() as stack:
        stack.callback(_forget_singletons, container)
        for resource in resources_in_order(container.providers.values()):
            try:
                await _open(resource, stack, close)
            except Exception as error:
                if explain is None:
                    raise
                raise explain(resource, error) from error
        yield


async def _open(resource: Resource, stack: AsyncExitStack, close: Close | None) -> None:
    opening = resource.init()
    stack.push_async_callback(_close, resource, close)
    if inspect.isawaitable(opening):
        await opening
        # From now on a call gives the object itself, so its users need not await it.
        resource.disable_async_mode()


async def _close(resource: Resource, close: Close | None) -> None:
    try:
        closing = resource.shutdown()
        if inspect.isawaitable(closing):
            await (closing if close is None else close(closing, _name_of(resource)))
    finally:
        resource.reset_async_mode()


def _name_of(resource: Resource) -> str:
    opened = inspect.unwrap(resource.provides)
    return getattr(opened, "__qualname__", str(opened))


def _forget_singletons(container: containers.Container) -> None:
    for singleton in container.traverse(types=[providers.BaseSingleton[object]]):
        if any(isinstance(needed, _OF_ONE_RUN) for needed in singleton.traverse()):
            singleton.reset()


def resources_in_order(roots: Iterable[AnyProvider]) -> list[providers.BaseResource[object]]:
    """The resources that `roots` need, each after its own dependencies, without overridden ones."""
    order: list[providers.BaseResource[object]] = []
    seen: set[AnyProvider] = set()

    def visit(provider: AnyProvider) -> None:
        if provider in seen:
            return
        seen.add(provider)
        # Overriding a nested container overrides each of its providers.
        if provider.last_overriding is not None and not isinstance(provider, providers.Container):
            visit(provider.last_overriding)
            return
        for needed in provider.related:
            visit(needed)
        if isinstance(provider, providers.BaseResource):
            order.append(provider)

    for root in roots:
        visit(root)
    return order


def not_opened(container: containers.Container, logger: Logger, resource: Resource, error: Exception) -> StartupError:
    """The exception to raise if a resource fails to open; an unexpected error is logged."""
    name = path_of(container, resource) or "without a name"
    opens = resource.provides
    function = getattr(opens, "__qualname__", repr(opens))
    where = place_of_class(opens) if isinstance(opens, type) else place_of(opens)
    if not isinstance(error, DaebusError):
        logger.error("resource failed to open", resource=name, function=function, where=where, exc_info=error)
    what = f"The resource {name!r} of {name_of(container)}, {function} ({where}),"
    return StartupError(f"{what} could not be opened: {cause_of(error)}")


def cause_of(error: BaseException) -> str:
    """The cause of a failure, in one line."""
    return str(error) if isinstance(error, DaebusError) else f"{type(error).__name__}: {error}"
