"""What the sender of a message is told where its handler failed, and what the log is."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from daebus.core.errors import Internal, ServiceError, Unavailable
from daebus.core.logs import Logger
from daebus.wiring.endpoints import Endpoint, Incoming

from .tallies import Tally

__all__ = ["failure", "outage"]

# By whom: a handler's function, or whatever else lives as long as it may see outages.
_outages: WeakKeyDictionary[object, Tally] = WeakKeyDictionary()


def failure(error: BaseException, endpoint: Endpoint[object], incoming: Incoming, logger: Logger) -> ServiceError:
    """The error that the sender is told.

    A service error is told as it is, one of redis-py that says that its server is away as `Unavailable`, and any other
    as `Internal`, its cause only logged.
    """
    if isinstance(error, ServiceError):
        return error
    signature, context = endpoint.signature, incoming.context
    about = {"handler": endpoint.title, "where": signature.where, "request_id": context.request_id}
    problem = outage(error, signature.function, logger, **about)
    if problem is not None:
        return problem
    logger.error("handler failed", **about, exc_info=error)
    return Internal(f"The handler failed; the service's log has the cause under request id {context.request_id}")


def outage(error: BaseException, seen_by: object, logger: Logger, **about: object) -> Unavailable | None:
    """The error for the sender where a redis-py client could not reach its server; None: it is another failure.

    Args:
        error: What was raised.
        seen_by: Who let it through. Of each the log is told at the 1st, 2nd, 4th, … time, in one line.
        logger: The log.
        about: The fields of that line.
    """
    from .connection import is_outage  # noqa: PLC0415  # it loads redis-py, without which an app is defined

    if not is_outage(error):
        return None
    tally = _outages.setdefault(seen_by, Tally(forgets=True))
    if tally.add():
        logger.warning("redis is not available", **about, times=tally.count, reason=f"{type(error).__name__}: {error}")
    return Unavailable("The Redis server that is needed for this is not available now. Trying again may help.")
