"""`Settings`: how a service runs."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from daebus.declare.options import refuse, require_choice, require_count, require_counts, require_seconds
from daebus.protocol.limits import BusLimits
from daebus.protocol.messages import MAX_PARTITIONS

__all__ = ["Conflict", "Settings"]

Conflict = Literal["warn", "error"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a service runs: ``Daebus("users", settings=Settings(stop_timeout=10))``.

    Attributes:
        max_concurrency: How many messages each handler handles at once in one process; default 128.
        max_workers: How many ``def`` handlers run at once in one process, each in a thread; default 32.
        partitions: How many streams each action has, from 1 to 1024, on a cluster in a slot each; for what is hotter
            than one stream. They share the concurrency of the action. Where it changes, an idempotency key may run once
            more. Default 1.
        stop_timeout: Seconds that the work in hand may take when the service stops; default 30.
        lease: Seconds after its last heartbeat at which an instance counts as dead, and others handle again what it had
            in hand. Longer than any code holds the GIL, and so short that a caller still waits for the second time.
            Default 6.
        legacy: Whether callers that still run daebus 0.0.31 are answered, and services that do are called
            (docs/migration.md); None, the default: where the environment has ``DAEBUS_LEGACY=1``.
        on_conflict: Where two blueprints claim the same action, route, socket type or task: ``"warn"``, the default,
            lets the one registered last win, ``"error"`` refuses it.
        max_buffered: How many bytes one process holds for HTTP and WebSocket clients, all together: messages and bodies
            that are not complete, and what they have yet to read. Where it is more, those go that take longest.
            Default 64 MiB.
        limits: How large messages, replies and dead letters may be, and how many streams a caller may have open.

    Raises:
        WiringError: A setting is out of its range.
    """

    max_concurrency: int = 128
    max_workers: int = 32
    partitions: int = 1
    stop_timeout: float = 30.0
    lease: float = 6.0
    legacy: bool | None = None
    on_conflict: Conflict = "warn"
    max_buffered: int = 67_108_864
    limits: BusLimits = BusLimits()

    def __post_init__(self) -> None:
        """Refuse what is out of its range."""
        subject = "Settings(...)"
        require_counts(
            subject,
            max_concurrency=self.max_concurrency,
            max_workers=self.max_workers,
            max_buffered=self.max_buffered,
        )
        require_count(subject, "partitions", self.partitions, most=MAX_PARTITIONS)
        require_seconds(subject, "stop_timeout", self.stop_timeout, or_zero=True)
        require_seconds(subject, "lease", self.lease)
        require_choice(subject, "on_conflict", self.on_conflict, get_args(Conflict))
        if self.legacy not in (None, True, False):
            found, remedy = f"legacy={self.legacy!r}, which must be True, False or None", "correct it, or leave it out"
            raise refuse(subject, found, remedy, "wrong-option")
        if not isinstance(self.limits, BusLimits):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
            found, remedy = f"limits={self.limits!r}, which must be BusLimits", "write limits=BusLimits(...)"
            raise refuse(subject, found, remedy, "wrong-option")
