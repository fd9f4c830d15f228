"""All errors of daebus, with a common base class, and the mapping between service errors and their codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.terminal import visible

__all__ = [
    "BadReply",
    "BadRequest",
    "ConfigurationError",
    "Conflict",
    "DaebusError",
    "Forbidden",
    "Internal",
    "NoSuchAction",
    "NoSuchService",
    "NotFound",
    "Reject",
    "ServiceError",
    "StartupError",
    "Timeout",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "WiringError",
    "WiringProblem",
    "error_from_code",
    "render",
]


class DaebusError(Exception):
    """Base class of every error that daebus raises."""


class ConfigurationError(DaebusError):
    """A setting or an argument is wrong: a URL, a port, a header. The text says which one and what to do."""


class StartupError(DaebusError):
    """The service could not start: a server is down, a port is taken, an `on_start` handler failed."""


class WiringError(DaebusError):
    """Handlers, contracts or the container do not fit together. The error lists all the problems found."""

    def __init__(self, *problems: WiringProblem) -> None:
        self.problems = problems
        """Each mistake, in the order of the source."""
        super().__init__(*problems)

    def __str__(self) -> str:
        return render(self)

    def __repr__(self) -> str:
        return f"WiringError({', '.join(repr(f'{problem.where}: {problem.message}') for problem in self.problems)})"


class ServiceError(DaebusError):
    """The service answered with an error.

    An error that a handler raises is sent to the caller, and raised there again: on the bus as an error reply, over
    HTTP as a problem+json response with `status`, over a WebSocket as an ``error`` message. Subclass it with a `code`
    of your own. A caller that has not imported the class of a code gets `ServiceError`.
    """

    code: str = "error"
    """The kind of the error, for programs: a stable word, such as ``not_found``."""
    status: ClassVar[int] = 500
    """The HTTP status of this error."""

    def __init__(
        self, message: str = "", *, code: str | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        self.message: str = message or (type(self).__doc__ or self.code).strip().partition("\n")[0]
        """A sentence for people. It is sent to the caller."""
        if code is not None:
            self.code = code
        self.details: dict[str, object] = dict(details or {})
        """More facts for programs; must be encodable as JSON. Sent to the caller."""
        super().__init__(self.message)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in cls.__dict__:
            _BY_CODE.setdefault(cls.code, cls)


_BY_CODE: dict[str, type[ServiceError]] = {}


class BadRequest(ServiceError):
    """The input is not valid.

    Code ``bad_request``, HTTP status 400.
    """

    code = "bad_request"
    status = 400


class Unauthorized(ServiceError):
    """The caller is not known.

    Code ``unauthorized``, HTTP status 401.
    """

    code = "unauthorized"
    status = 401


class Forbidden(ServiceError):
    """The caller may not do this.

    Code ``forbidden``, HTTP status 403.
    """

    code = "forbidden"
    status = 403


class NotFound(ServiceError):
    """There is no such thing.

    Code ``not_found``, HTTP status 404.
    """

    code = "not_found"
    status = 404


class Conflict(ServiceError):
    """The state of the thing does not allow this.

    Code ``conflict``, HTTP status 409.
    """

    code = "conflict"
    status = 409


class Gone(ServiceError):
    """What was asked for is no longer there, such as the events after a position.

    Code ``gone``, HTTP status 410.
    """

    code = "gone"
    status = 410


class TooLarge(ServiceError):
    """The message is too large.

    Code ``too_large``, HTTP status 413.
    """

    code = "too_large"
    status = 413


class TooManyRequests(ServiceError):
    """The caller asks too often, or a queue is full.

    Code ``too_many_requests``, HTTP status 429.
    """

    code = "too_many_requests"
    status = 429


class Internal(ServiceError):
    """The handler failed. The service's log has the cause, under the request id.

    Code ``internal``, HTTP status 500.
    """

    code = "internal"
    status = 500


class BadReply(ServiceError):
    """The reply is not what the contract says.

    Code ``bad_reply``, HTTP status 502.
    """

    code = "bad_reply"
    status = 502


class Unavailable(ServiceError):
    """A server or a service cannot be reached now. Trying again may help.

    Code ``unavailable``, HTTP status 503.
    """

    code = "unavailable"
    status = 503


class Timeout(ServiceError):
    """No answer came before the deadline.

    Code ``timeout``, HTTP status 504.
    """

    code = "timeout"
    status = 504


class NoSuchService(Unavailable):
    """No instance serves this service now.

    Code ``no_such_service``, HTTP status 503.
    """

    code = "no_such_service"
    status = 503


class NoSuchAction(ServiceError):
    """No live instance of the service has this action.

    Code ``no_such_action``, HTTP status 501.
    """

    code = "no_such_action"
    status = 501


class Reject(Unauthorized):
    """The WebSocket client is refused. Raise it in a connect handler.

    Code ``rejected``, HTTP status 401.
    """

    code = "rejected"


def error_from_code(code: str, message: str, details: Mapping[str, object] | None = None) -> ServiceError:
    """The error that a caller raises for an error reply; `ServiceError` itself if the code is not known."""
    known = _BY_CODE.get(code, ServiceError)
    error = known.__new__(known)
    # The constructor of a subclass may have its own arguments, which the reply does not contain.
    ServiceError.__init__(error, message, code=code, details=details)
    return error


def render(error: DaebusError, *, colour: bool = False) -> str:
    """The text of an error for a terminal; with `colour`, a text of more than one sentence is marked up."""
    if not isinstance(error, WiringError):
        return visible(str(error), lines=True)  # the text may come in part from a server or a service
    count = len(error.problems)
    head = "1 wiring mistake:" if count == 1 else f"{count} wiring mistakes:"
    return "\n\n".join([head, *(problem.render(colour=colour) for problem in error.problems)])
