"""Opens the tools of an app, if it has some, which loads the package `mcp`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from daebus.core.stopping import Stopping
from daebus.export.contracts import Described
from daebus.telemetry.logs import make_logger

from .tools import tools_of

if TYPE_CHECKING:
    from .http import HttpTools

__all__ = ["HasTools", "open_tools"]


class HasTools(Described, Protocol):
    """The parts of an app of which its tools are made."""

    @property
    def stopping(self) -> Stopping:
        """Whether its run is stopping."""
        ...


def open_tools(made: HasTools, max_body_size: int) -> HttpTools | None:
    """What serves the tools of an app over HTTP; None: it has none.

    Args:
        made: The app.
        max_body_size: The most bytes that a request may have.

    Raises:
        ConfigurationError: It has some, and the package `mcp` is not installed.
    """
    tools = tools_of(made.plans.compiled())
    if not tools:
        return None
    from .http import HttpTools  # noqa: PLC0415  # it loads the package mcp

    logger = make_logger(service=made.service)
    return HttpTools(tools, service=made.service, stopping=made.stopping, logger=logger, max_body_size=max_body_size)
