"""`DaebusConsole`: the console in the HTTP of a service."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from daebus.errors import ConfigurationError

from .access import TOKEN, Access
from .console import Console
from .routes import console_router

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from daebus.app.component import ServiceRun
    from daebus.connection.node import Node

__all__ = ["DaebusConsole"]


class _Vitals(Protocol):
    """See `daebus.app.running.vitals.RunVitals`."""

    @property
    def node(self) -> Node: ...


_vitals_of: Callable[[ServiceRun], _Vitals] = attrgetter("_vitals")


class DaebusConsole:
    """A component that serves the console at a path of the app's HTTP: ``app.attach(DaebusConsole())``.

    It shows all services of the server, and calls them as this service.

    Args:
        path: Its path.
        token: What users have to show, at least 16 characters; default: DAEBUS_CONSOLE_TOKEN. Without one, it is only
            for browsers on the same machine that reach it without a proxy.
        read_only: Whether everything is shown, and nothing can be called, replayed or dropped.

    Raises:
        ConfigurationError: The path does not begin with ``/``, or the token is too short.
    """

    def __init__(self, *, path: str = "/console", token: str | None = None, read_only: bool = False) -> None:
        if not path.startswith("/"):
            raise ConfigurationError(f"DaebusConsole(path={path!r}): it must begin with '/'.")
        self._path = path
        shown = token if token is not None else os.environ.get(TOKEN) or None
        self._console = Console(Access(shown, read_only=read_only, only_here=shown is None))

    def http_handlers(self) -> Sequence[ControllerRouterHandler]:
        """Its routes, for the app's HTTP."""
        return [console_router(self._console, self._path)]

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        """Answer its pages while the service runs."""
        async with self._console.opened(_vitals_of(run).node, run.bus, run.logger) as desk:
            run.stopping.call_when_set(desk.close)  # the server waits for streams that do not end
            try:
                yield
            finally:
                run.stopping.forget(desk.close)
