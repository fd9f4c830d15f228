"""`Component`: a resource that a service opens and closes; `ServiceRun`: the component's view of the service."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from daebus.core.stopping import Stopping
from daebus.delivery.grace import Grace
from daebus.delivery.interceptors import Interceptors
from daebus.delivery.standing import standing_of_task
from daebus.errors import DaebusError, StartupError, WiringError
from daebus.mistakes.places import CallSite, caller_place
from daebus.mistakes.problem import WiringProblem
from daebus.telemetry.logs import Logger
from daebus.wiring.resources import cause_of

from .container import ServiceContainer

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from daebus.bus.bus import Bus

    from .running.runtime import Runtime

__all__ = ["AttachedComponent", "Component", "ServiceRun", "opened_interceptors", "require_component"]


class ServiceRun:
    """One run of a service in this process, as a component sees it."""

    def __init__(  # the keyword arguments are explained under `Attributes`
        self,
        service: str,
        instance: str,
        *,
        logger: Logger,
        bus: Bus,
        container: ServiceContainer,
        stopping: Stopping,
        grace: Grace,
        vitals: object,
    ) -> None:
        self.service = service
        """The name under which the service is served."""
        self.instance = instance
        """The unique id of this process."""
        self.logger = logger
        """A logger that is bound to the service."""
        self.bus = bus
        """Calls other services, and publishes events."""
        self.container = container
        """The container, whose resources are open: ``run.container.repo()``, or a provider of your own class."""
        self.stopping = stopping
        """Whether the service stops: ``await run.stopping.wait()``."""
        self._grace = grace
        self._vitals = vitals  # for interceptors that measure: see daebus.interceptors.vitals

    @property
    def grace(self) -> float:
        """Seconds left for work in flight: all of `Settings.stop_timeout` until the service begins to stop."""
        return self._grace.left


class Component(Protocol):
    """Something that a service opens at its start and closes at its stop: a port, a connection, a background loop.

    Each process of the service opens the component after the resources of the container and the ``on_start`` handlers,
    and before it takes the first message. The component is closed after the last message was handled, in the task in
    which it was opened; `ServiceRun.stopping` is set when the stop begins, also after a failed start. Several
    components are opened in the order in which they were attached, and closed in reverse order. Closing may take until
    the end of `Settings.stop_timeout`, or 1 s if that is later; then the component is cancelled, and the log names it.
    If a component cannot be opened, the service does not start. If it fails later, the error is logged and the service
    continues.
    """

    def serving(self, run: ServiceRun, /) -> AbstractAsyncContextManager[object]:
        """Open it, and close it at the end: usually a method with ``@asynccontextmanager`` that yields once."""
        ...


def require_component(component: object) -> Component:
    """Refuse what is no component. Raises `WiringError`."""
    found, remedy = _mistake(component)
    if found is not None:
        kind = type(component).__name__
        is_ours = hasattr(component, "serving") and not isinstance(component, type)
        subject = f"attach({getattr(component, '__name__', f'{kind}()' if is_ours else repr(component))})"
        raise WiringError(WiringProblem(caller_place(), subject, found, remedy, code="wrong-component"))
    return cast("Component", component)


def opened_interceptors(interceptors: Interceptors, site: CallSite) -> Iterator[AttachedComponent]:
    """The interceptors of an app that are components, too. Raises `WiringError` for one that is not opened rightly."""
    for one in interceptors.opened:
        yield AttachedComponent(require_component(one), site)


def _mistake(component: object) -> tuple[str | None, str]:
    if isinstance(component, type):
        return "it is a class", f"attach an instance: {component.__name__}(...)"
    serving = getattr(component, "serving", None)
    if not callable(serving):
        return "it is not a component", "attach DaebusHttp(...), DaebusWebSocket(...), or an object with serving(run)"
    if inspect.iscoroutinefunction(serving) or inspect.isasyncgenfunction(serving):
        remedy = "decorate it with @contextlib.asynccontextmanager, and yield once"
        return "its serving() does not return an async context manager", remedy
    try:
        inspect.signature(serving).bind(None)
    except TypeError:
        return "its serving() does not take the run", "write def serving(self, run: ServiceRun)"
    except ValueError:  # it is not written in Python
        pass
    return None, ""


class AttachedComponent(msgspec.Struct, frozen=True):
    """A component of the user, as a part of the service.

    Attributes:
        component: The component.
        site: Where it was attached.
    """

    component: Component
    site: CallSite

    @property
    def title(self) -> str:
        """A title for logs and messages."""
        return f"component {type(self.component).__name__}"

    def http_handlers(self) -> Sequence[ControllerRouterHandler]:
        """Its handlers for the app's HTTP, if it has a method of this name."""
        make: Callable[[], Sequence[ControllerRouterHandler]] | None = getattr(self.component, "http_handlers", None)
        return () if make is None else make()

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Keep it open, in a task of its own, so that it is closed in the task that opened it."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        close = asyncio.Event()
        task = asyncio.create_task(self._live(run.seen, opened, close), name=self.title)
        try:
            await self._opened(task, opened, run)
        except asyncio.CancelledError:
            task.cancel()
            await self._close(task, run)
            raise
        if task.done():
            raise self._not_opened(task, run.logger)
        tell = partial(self._tell, run.logger)
        task.add_done_callback(tell)
        try:
            yield
        finally:
            if not task.done():
                task.remove_done_callback(tell)
                close.set()
                await self._close(task, run)

    async def _opened(self, task: asyncio.Task[None], opened: asyncio.Future[None], run: Runtime) -> None:
        """Wait until it is open, or has failed; if that takes long, log where it waits, at growing intervals."""
        begun, pause = time.monotonic(), run.made.timings.opening
        while not (await asyncio.wait({task, opened}, timeout=pause, return_when=asyncio.FIRST_COMPLETED))[0]:
            run.logger.warning(
                "component still opening: the service takes no messages until it is open",
                component=self.title,
                where=str(self.site.place),
                seconds=round(time.monotonic() - begun, 1),
                at=standing_of_task(task).at,
                remedy="limit the time that it waits, as with asyncio.timeout, or do the work in a task of a TaskGroup",
            )
            pause *= 2

    async def _live(self, run: ServiceRun, opened: asyncio.Future[None], close: asyncio.Event) -> None:
        async with self.component.serving(run):
            opened.set_result(None)
            await close.wait()

    async def _close(self, task: asyncio.Task[None], run: Runtime) -> None:
        begun, about = time.monotonic(), {"component": self.title, "where": str(self.site.place)}
        try:
            late = await run.grace.close_component(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
        except Exception as error:
            run.logger.error("component failed to close", **about, exc_info=error)
        else:
            if late is not None:
                took = round(time.monotonic() - begun, 1)
                run.logger.error("component did not close in time, and is cancelled", **about, seconds=took, at=late.at)

    def _not_opened(self, task: asyncio.Task[None], logger: Logger) -> StartupError:
        error = None if task.cancelled() else task.exception()
        cause = "it was cancelled" if error is None else cause_of(error)
        if error is not None and not isinstance(error, DaebusError):
            logger.error("component failed to open", component=self.title, where=str(self.site.place), exc_info=error)
        problem = StartupError(f"The {self.title} ({self.site.place}) could not be opened: {cause}")
        problem.__cause__ = error
        return problem

    def _tell(self, logger: Logger, ended: asyncio.Task[None]) -> None:
        error = None if ended.cancelled() else ended.exception()
        logger.error("component failed", component=self.title, where=str(self.site.place), exc_info=error)
