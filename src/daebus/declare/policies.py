"""Retries, backoff and timeouts of handlers, and the options of their decorators."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

import msgspec

from daebus.mistakes.suggestions import closest

from .options import Requires, refuse, require_choice, require_count, require_name, require_seconds
from .schedules import Cron, Interval, Overlap, Schedule, TaskPolicy

__all__ = [
    "ActionOptions",
    "AnyActionOptions",
    "ListenOptions",
    "ListenerIdentity",
    "Policy",
    "RetryOptions",
    "RunOptions",
    "Start",
    "StreamOptions",
    "TaskOptions",
    "action_policy",
    "listen_options",
    "task_policy",
]

Start: TypeAlias = Literal["earliest", "latest"]
"""Where a new listener starts: ``earliest`` at the oldest event that is kept, ``latest`` at the next new event."""
_IDENTITY = ("name", "start", "renamed_from")


class RunOptions(TypedDict, total=False):
    """Decorator options for each run of a handler."""

    timeout: float
    """Seconds that one run may take; then it is cancelled and its caller gets `Timeout`. Default: no limit."""

    requires: Requires
    """Functions that refuse a message by raising an error, before the handler runs. Default: none."""


class TaskOptions(TypedDict, total=False):
    """Options of the decorator of background tasks."""

    scope: Literal["service", "replica"]
    """``service`` (default): on one replica at a time; ``replica``: on each."""

    zone: str
    """The time zone of the cron expression, such as ``Europe/Berlin``. Default: UTC."""

    jitter: float
    """Upper limit in seconds of the delay of each run, so that tasks do not start all at once. Default: 0."""

    overlap: Overlap
    """A run that is due during another one: ``wait`` (default): it starts after it, and several become one; ``skip``:
    it is missed; ``cancel``: the other one is cancelled."""

    catch_up: float | None
    """With cron: how many seconds ago a missed run may lie and is still made up. Default: they become one run."""

    pause_after: int
    """After how many failures in a row the schedule is paused. Default: 0, never."""

    history: int
    """How many runs are kept. Default: 100."""

    timeout: float | None
    """Seconds that one run may take; then it is cancelled and counts as failed. Default: no limit."""


class RetryOptions(RunOptions, total=False):
    """Decorator options for a handler whose messages are kept until they are acknowledged."""

    retries: int
    """How often a message is redelivered after its handler failed unexpectedly. Default: 5; 0: never."""

    backoff: float
    """Upper limit in seconds of the random delay before the first retry; it doubles with each. Default: 1."""

    max_backoff: float
    """Upper limit in seconds of the delay before any retry. Default: 3600."""


class DoorOptions(TypedDict, total=False):
    """Options of the action decorator for its doors."""

    tool: bool
    """Opens the action to assistants, as a tool of the Model Context Protocol. Default: False."""

    socket: str
    """Opens the action as WebSocket messages of this type. Default: none."""

    raises: Sequence[type[Exception]]
    """OpenAPI: the errors that the handler raises; subclasses of `ServiceError` or of Litestar's `HTTPException`."""

    tags: Sequence[str]
    """OpenAPI: the tags of the operation."""


class ActionOptions(RetryOptions, DoorOptions, total=False):
    """Options of the action decorator."""

    keep_replies: float
    """Seconds for which the reply to a request with an idempotency key is kept. Default: 86400, a day."""

    http: str
    """Opens the action as a route, such as ``"GET /users/<id>"``. Default: none."""

    status_code: int
    """The status of a success of this route. Default: 200, or 204 if the handler returns nothing."""


class StreamOptions(RunOptions, DoorOptions, total=False):
    """Options of the action decorator for a `StreamAction`."""

    sse: str
    """Opens the action as a stream of server-sent events: ``"GET /users/import"``. Default: none."""

    event_id: str
    """The field of the items that is the ``id`` of each server-sent event. Default: events have no id."""

    resume: str
    """The field of the payload that gets the id of the last event of a client that comes back. Default: none."""


class AnyActionOptions(ActionOptions, StreamOptions, total=False):
    """Options of the action decorator for an action without a contract, which may be of either kind."""


class ListenOptions(RetryOptions, total=False):
    """Options of the listener decorator; a channel that is not durable takes only those of `RunOptions`."""

    name: str
    """A fixed name, which keeps the position of a function that is renamed. Default: ``blueprint.function``."""

    start: Start
    """Where a new listener starts: ``earliest``, at the oldest event that is kept (default), or ``latest``."""

    renamed_from: str
    """The previous name of the listener, whose position it takes over. Default: it takes over none."""


class ListenerIdentity(msgspec.Struct, frozen=True):
    """The identity of a listener of a durable channel: its consumer group and where that starts in the channel.

    Attributes:
        name: A fixed name, so that the listener keeps its position if its function is renamed or moved; None: the names
            of its blueprint and of its function, as in ``users.on_order``.
        start: Where a new listener starts: ``earliest``, at the oldest event that is kept, or ``latest``, at the next
            event. None: at the oldest event; but the service refuses to start if the channel still has the position of
            a listener that the app no longer has, because this listener may be that one under a new name.
        renamed_from: The previous name of the listener, whose position it takes over; replicas with either name share
            the events.
    """

    name: str | None = None
    start: Start | None = None
    renamed_from: str | None = None


class Policy(msgspec.Struct, frozen=True):
    """How runs of a handler are limited and retried.

    Attributes:
        retries: How often a queued message is redelivered after the first failure.
        backoff: Maximum delay in seconds before the first retry; it doubles with each further retry.
        max_backoff: Upper limit of the delay in seconds, after any number of failures.
        timeout: Seconds that one run may take; None: no limit.
        keep_replies: Seconds for which the reply to a request with an idempotency key is kept.
    """

    retries: int = 5
    backoff: float = 1.0
    max_backoff: float = 3600.0
    timeout: float | None = None
    keep_replies: float = 86_400.0

    def pause(self, failures: int, floor: float | None = None) -> float:
        """The delay in seconds before a failed message is redelivered.

        The delay is random (jitter), so that messages that failed together are not all retried together.

        Args:
            failures: How often the message has failed, including this time.
            floor: Minimum delay in seconds, for failures that need time to pass. The delay is then also at least half
                of the current backoff, and at most `max_backoff`. None: anything from 0 to the current backoff.
        """
        longest = min(self.max_backoff, self.backoff * 2.0 ** min(failures - 1, 64))
        least = 0.0 if floor is None else min(self.max_backoff, max(floor, longest / 2))
        longest = max(longest, min(self.max_backoff, least * 1.5))
        return random.uniform(least, longest)  # noqa: S311  # spread, not secrecy


_OF_ROUTES = ("guards", "media_type", "middleware", "response_headers", "summary")
"""Options that are often looked for at an action with a door."""


def action_policy(subject: str, options: Mapping[str, object], *, streams: bool = False) -> Policy:
    """The policy of an action. Raises `WiringError` if an option is not valid, or not valid for a stream."""
    refused = "the reader of a stream gets the error at once, so the request is never retried" if streams else None
    return _policy(subject, options, AnyActionOptions, refused)


def listen_options(subject: str, options: Mapping[str, object], *, durable: bool) -> tuple[Policy, ListenerIdentity]:
    """The policy and the identity of a listener. Raises `WiringError` if an option is not valid for this channel."""
    refused = None if durable else "only a durable channel keeps its events"
    given = {name: value for name, value in options.items() if name in _IDENTITY}
    policy = {name: value for name, value in options.items() if name not in _IDENTITY}
    return _policy(subject, policy, ListenOptions, refused), _identity(subject, given, durable=durable)


def _identity(subject: str, given: Mapping[str, object], *, durable: bool) -> ListenerIdentity:
    for name, value in given.items():
        if not durable:
            found = f"{name}={value!r}, but only a durable channel stores the position of a listener"
            remedy = f"remove {name}=, or make the channel durable: Channel[...](..., durable=True)"
            raise refuse(subject, found, remedy, "wrong-option")
        if name == "start":
            require_choice(subject, name, value, get_args(Start))
        else:
            require_name(f"{subject}: {name}=", value)
    if "name" in given and given["name"] == given.get("renamed_from"):
        found = f"renamed_from={given['name']!r} is the present name of the listener"
        raise refuse(subject, found, "give the name that it had before, or remove renamed_from=", "wrong-option")
    return ListenerIdentity(**cast("dict[str, Any]", given))


def _remedy(name: str, names: Sequence[str]) -> str:
    if name in _OF_ROUTES:
        return "only a route has it, and a door of an action has not: remove it, or write a route that calls the action"
    close = closest(name, names)
    return f"its options are {', '.join(names)}" if close is None else f"did you mean {close}?"


def _policy(subject: str, options: Mapping[str, object], known: type, refused: str | None) -> Policy:
    names = [*known.__annotations__, *(["concurrency"] if known is AnyActionOptions else [])]
    for name, value in options.items():
        if name not in names:
            raise refuse(subject, f"there is no option {name!r}", _remedy(name, names), "wrong-option")
        if name == "retries":
            require_count(subject, name, value, or_zero=True)
        else:
            require_seconds(subject, name, value)
        if refused is not None and name not in RunOptions.__annotations__:
            raise refuse(subject, f"{name}={value!r}, but {refused}", f"remove {name}=", "never-retried")
    return Policy(**cast("dict[str, Any]", options))


def task_policy(subject: str, options: TaskOptions, schedule: Schedule) -> TaskPolicy:
    """The policy of a background task. Raises `WiringError` if an option is wrong, or has no effect."""
    given = {name: value for name, value in options.items() if name not in ("scope", "timeout", "zone")}
    _require_fitting(subject, options, given, schedule)
    policy = TaskPolicy(**cast("dict[str, Any]", given))
    require_choice(subject, "overlap", policy.overlap, get_args(Overlap))
    if policy.catch_up is not None:
        require_seconds(subject, "catch_up", policy.catch_up, or_zero=True)
    require_seconds(subject, "jitter", policy.jitter, or_zero=True)
    require_count(subject, "pause_after", policy.pause_after, or_zero=True)
    require_count(subject, "history", policy.history, or_zero=True, most=10_000)
    if isinstance(schedule, Interval) and policy.jitter >= schedule.seconds:
        found = f"jitter={policy.jitter:g}, and the interval is only {schedule.seconds:g} seconds"
        raise refuse(subject, found, "give a smaller jitter", "wrong-option")
    return policy


def _require_fitting(subject: str, options: TaskOptions, given: Mapping[str, object], schedule: Schedule) -> None:
    unknown = [name for name in given if name not in TaskOptions.__annotations__]
    if unknown:
        near = closest(unknown[0], TaskOptions.__annotations__)
        remedy = f"write {near}=" if near else "remove it"
        raise refuse(subject, f"background has no option {unknown[0]!r}", remedy, "unknown-option")
    if options.get("scope") == "replica":
        shared = [name for name in given if name != "jitter"]
        if shared:
            found = f"{shared[0]}= has no effect with scope='replica', as no runs are recorded then"
            raise refuse(subject, found, "remove one of the two", "wrong-option")
    if given.get("catch_up") is not None and not isinstance(schedule, Cron):
        found = "catch_up= has no effect without cron=: an interval counts from the start of the last run"
        raise refuse(subject, found, "give cron=, or remove it", "wrong-option")
