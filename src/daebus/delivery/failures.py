"""The error for the sender of a message whose handler failed, and the log entry about it."""

from __future__ import annotations

from typing import TypeGuard
from weakref import WeakKeyDictionary

from daebus.connection.outages import AWAY, ServerUnavailable
from daebus.errors import BadReply, Internal, ServiceError, Unavailable
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally
from daebus.telemetry.traces import log_fields

from .causes import place_of_failure, type_and_message
from .endpoint import Endpoint, Incoming

__all__ = ["WrongReplyError", "code_of", "failure", "is_for_senders", "outage"]

# By observer: a handler's function, or another object that lives as long as it can see outages.
_outages: WeakKeyDictionary[object, Tally] = WeakKeyDictionary()

# By handler, class, file and line; the least recently seen first.
_failures: dict[tuple[object, ...], Tally] = {}
_MOST_FAILURES = 1_000


class WrongReplyError(Exception):
    """A handler has returned what does not fit its contract: its sender gets `BadReply` with this text."""


def failure(error: BaseException, endpoint: Endpoint[object], incoming: Incoming, logger: Logger) -> ServiceError:
    """The error that is sent to the sender.

    A service error is sent unchanged. If a Redis server is unreachable, for daebus or for redis-py, the error is
    `Unavailable` without the address; a reply of the wrong type becomes `BadReply`, any other failure `Internal`. Their
    causes are only logged.
    """
    if is_for_senders(error):
        return error
    signature, context = endpoint.signature, incoming.context
    about: dict[str, object] = {"where": signature.where, **log_fields(context), "handler": endpoint.title}
    away = outage(error, signature.function, logger, **about)
    if away is not None:
        away.__cause__ = error
        return away
    _log_failure(error, logger, about)
    cause = f"The handler failed; the service's log has the cause under request id {context.request_id}"
    problem = BadReply(str(error)) if isinstance(error, WrongReplyError) else Internal(cause)
    problem.__cause__ = error  # for the dead letter; the sender gets the code, the message and the details
    return problem


def _log_failure(error: BaseException, logger: Logger, about: dict[str, object]) -> None:
    """Log one line for each failure; of similar failures, the 1st, 2nd, 4th, … and one per minute have a traceback."""
    key = (about["handler"], type(error), *place_of_failure(error))
    tally = _failures.pop(key, None) or Tally(reminds=True)
    if len(_failures) >= _MOST_FAILURES:
        _failures.pop(next(iter(_failures)))
    _failures[key] = tally
    shows = tally.add()
    if tally.count > 1:
        about["times"] = tally.count
    if shows:
        logger.error("handler failed", **about, exc_info=error)
    else:
        logger.error("handler failed", **about, reason=type_and_message(error))


def is_for_senders(error: BaseException) -> TypeGuard[ServiceError]:
    """Whether an error is sent unchanged, without logging its cause."""
    return isinstance(error, ServiceError) and not isinstance(error, ServerUnavailable)


def code_of(error: BaseException) -> str:
    """The code of the error that `failure` sends; nothing is logged."""
    if is_for_senders(error):
        return error.code
    if _is_outage(error):
        return Unavailable.code
    return BadReply.code if isinstance(error, WrongReplyError) else Internal.code


def outage(error: BaseException, seen_by: object, logger: Logger, **about: object) -> Unavailable | None:
    """The error for the sender if a Redis server could not be reached; None: it is another failure.

    Args:
        error: The exception.
        seen_by: The observer of the error. For each observer, the 1st, 2nd, 4th, … error is logged in one line.
        logger: The log.
        about: The fields of that line.
    """
    if not _is_outage(error):
        return None
    is_ours = isinstance(error, ServerUnavailable)
    tally = _outages.setdefault(seen_by, Tally(forgets=True))
    if tally.add():
        reason = str(error) if is_ours else f"{type(error).__name__}: {error}"
        logger.warning("redis is not available", **about, times=tally.count, reason=reason)
    return Unavailable(AWAY)


def _is_outage(error: BaseException) -> bool:
    from daebus.connection.session import is_outage  # noqa: PLC0415  # it loads redis-py, without which an app is defined

    return isinstance(error, ServerUnavailable) or is_outage(error)
