"""How often, how soon and for how long a handler is tried."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, cast, get_args

import msgspec

from daebus.mistakes.suggestions import closest

from .options import refuse, require_choice, require_count, require_name, require_seconds

__all__ = [
    "ActionOptions",
    "ListenOptions",
    "Place",
    "Policy",
    "RetryOptions",
    "RunOptions",
    "Start",
    "action_policy",
    "listen_options",
]

Start: TypeAlias = Literal["earliest", "latest"]
"""Where a listener begins that was never there before: at the oldest event that is kept, or with those to come."""


class RunOptions(TypedDict, total=False):
    """What a decorator may say of each run of its handler."""

    timeout: float


class RetryOptions(RunOptions, total=False):
    """What a decorator may say of a handler whose messages are kept until they are handled."""

    retries: int
    backoff: float
    max_backoff: float


class ActionOptions(RetryOptions, total=False):
    """What the decorator of an action may say."""

    keep_replies: float


class ListenOptions(RetryOptions, total=False):
    """What the decorator of a listener may say; of a plain channel only what `RunOptions` has."""

    name: str
    start: Start
    renamed_from: str


class Place(msgspec.Struct, frozen=True):
    """What tells a listener of a durable channel from the others of its service, and keeps its place in the channel.

    Attributes:
        name: Its name, under which it keeps its place when its function is renamed or moved; None: the names of its
            blueprint and of its function, as in ``users.on_order``.
        start: Where it begins the first time: ``earliest``, with the oldest event that is kept, or ``latest``, with the
            next one; None: with the oldest event, but the service does not start where the channel keeps the place of a
            listener that the app has no more, and whose new name this may be.
        renamed_from: The name that it had before, whose place it takes; replicas with either name share the events.
    """

    name: str | None = None
    start: Start | None = None
    renamed_from: str | None = None


class Policy(msgspec.Struct, frozen=True):
    """How a handler is tried.

    Attributes:
        retries: How often a queued message is handled again after the first failure.
        backoff: Before the first time at most so many seconds pass, before each later one at most twice as many.
        max_backoff: Seconds that pass at most, however often it has failed.
        timeout: Seconds that one run may take; None: as long as it takes.
        keep_replies: Seconds for which the reply to a request with an idempotency key is kept.
    """

    retries: int = 5
    backoff: float = 1.0
    max_backoff: float = 3600.0
    timeout: float | None = None
    keep_replies: float = 86_400.0

    def pause(self, failures: int, floor: float | None = None) -> float:
        """Seconds until a message that has failed so often is handled again.

        They are random, so that what failed together does not come back together.

        Args:
            failures: How often it has failed, this time included.
            floor: For what takes time to pass: at least so many seconds, and at least half of the backoff of this time,
                but no more than `max_backoff`. None: any number of seconds up to the backoff of this time.
        """
        longest = min(self.max_backoff, self.backoff * 2.0 ** min(failures - 1, 64))
        least = 0.0 if floor is None else min(self.max_backoff, max(floor, longest / 2))
        longest = max(longest, min(self.max_backoff, least * 1.5))
        return random.uniform(least, longest)  # noqa: S311  # spread, not secrecy


def action_policy(subject: str, options: Mapping[str, object], *, streams: bool = False) -> Policy:
    """The policy of an action. Raises `WiringError` where an option makes no sense, or none for a stream."""
    refused = "whoever reads a stream is told at once that it failed: nothing is handled again" if streams else None
    return _policy(subject, options, ActionOptions, refused)


def listen_options(subject: str, options: Mapping[str, object], *, durable: bool) -> tuple[Policy, Place]:
    """How a listener is tried, and its place. Raises `WiringError` where an option makes no sense, or none here."""
    refused = None if durable else "only a durable channel keeps its events"
    place = _place(subject, {name: value for name, value in options.items() if name in _PLACES}, durable=durable)
    policy = {name: value for name, value in options.items() if name not in _PLACES}
    return _policy(subject, policy, ListenOptions, refused), place


def _place(subject: str, given: Mapping[str, object], *, durable: bool) -> Place:
    for name, value in given.items():
        if not durable:
            found = f"{name}={value!r}, but only in a durable channel has a listener a place that is kept"
            remedy = f"remove {name}=, or make the channel durable: Channel[...](..., durable=True)"
            raise refuse(subject, found, remedy, "wrong-option")
        if name == "start":
            require_choice(subject, name, value, get_args(Start))
        else:
            require_name(f"{subject}: {name}=", value)
    if "name" in given and given["name"] == given.get("renamed_from"):
        found = f"renamed_from={given['name']!r} is the name that it has"
        raise refuse(subject, found, "give the name that it had before, or remove renamed_from=", "wrong-option")
    return Place(**cast("dict[str, Any]", given))


_PLACES = ("name", "start", "renamed_from")


def _policy(subject: str, options: Mapping[str, object], known: type, refused: str | None) -> Policy:
    names = list(known.__annotations__)
    for name, value in options.items():
        if name not in names:
            close = closest(name, names)
            remedy = f"its options are {', '.join(names)}" if close is None else f"did you mean {close}?"
            raise refuse(subject, f"there is no option {name!r}", remedy, "wrong-option")
        if name == "retries":
            require_count(subject, name, value, or_zero=True)
        else:
            require_seconds(subject, name, value)
        if refused is not None and name not in RunOptions.__annotations__:
            raise refuse(subject, f"{name}={value!r}, but {refused}", f"remove {name}=", "never-retried")
    return Policy(**cast("ActionOptions", options))
