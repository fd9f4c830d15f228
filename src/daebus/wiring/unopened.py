"""The error for a resource of the container that fails to open."""

from __future__ import annotations

from dependency_injector import containers

from daebus.errors import DaebusError, StartupError
from daebus.mistakes.places import place_of, place_of_class
from daebus.telemetry.logs import Logger

from .lookup import name_of, path_of
from .resources import Resource

__all__ = ["cause_of", "not_opened"]


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
