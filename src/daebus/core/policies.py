"""How often, how soon and for how long a handler is tried."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TypedDict, cast

import msgspec

from .names import closest
from .options import refuse, require_count, require_seconds

__all__ = ["ActionOptions", "Policy", "RetryOptions", "RunOptions", "action_policy", "listen_policy"]


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


def listen_policy(subject: str, options: Mapping[str, object], *, durable: bool) -> Policy:
    """The policy of a listener. Raises `WiringError` where an option makes no sense, or none for a plain channel."""
    return _policy(subject, options, RetryOptions, None if durable else "only a durable channel keeps its events")


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
