"""`Settings`: how a service runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast, get_args

import msgspec

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket, HttpLimits, WebSocketLimits
from daebus.core.signing import SigningKeys
from daebus.declare.options import refuse, require_choice, require_count, require_counts, require_seconds
from daebus.errors import WiringError
from daebus.mistakes.suggestions import closest
from daebus.protocol.limits import BusLimits
from daebus.protocol.messages import MAX_PARTITIONS
from daebus.queues.lapses import OnLapse

__all__ = ["Conflict", "Settings", "read_settings", "stop_seconds", "unknown_option"]

Conflict = Literal["warn", "error"]

_MOST_LABELS = 64
_LONGEST_LABEL = 256


def unknown_option(subject: str, name: str, known: list[str]) -> WiringError:
    """The error for an option that does not exist: did it mean another, or does it belong elsewhere?

    Args:
        subject: The call with the option.
        name: The option.
        known: The options that the call has.
    """
    homes: list[type] = [Settings, BusLimits, DaebusHttp, HttpLimits, DaebusWebSocket, WebSocketLimits]
    home = next((one.__name__ for one in homes if name in inspect.signature(one).parameters), None)
    close = closest(name, known)
    if home is not None and name not in known:
        remedy = f"it is an option of {home}: write {_HOMES[home].format(f'{name}=...')}"
    else:
        remedy = f"the options are {', '.join(known)}" if close is None else f"did you mean {close!r}?"
    return refuse(subject, f"it has no option {name!r}", remedy, "unknown-option")


_HOMES = {
    "Settings": "Daebus(..., settings=Settings({}))",
    "BusLimits": "Settings(limits=BusLimits({}))",
    "DaebusHttp": "app.attach(DaebusHttp({}))",
    "HttpLimits": "DaebusHttp(limits=HttpLimits({}))",
    "DaebusWebSocket": "app.attach(DaebusWebSocket({}))",
    "WebSocketLimits": "DaebusWebSocket(limits=WebSocketLimits({}))",
}

if TYPE_CHECKING:
    from msgspec import Struct as _Options
else:

    class _RefusesUnknown(type(msgspec.Struct)):
        def __call__(cls, *arguments: object, **options: object) -> object:
            known = list(cls.__struct_fields__)
            if unknown := [name for name in options if name not in known]:
                raise unknown_option(f"{cls.__name__}(...)", unknown[0], known)
            return super().__call__(*arguments, **options)

    class _Options(msgspec.Struct, metaclass=_RefusesUnknown):
        """A struct that refuses unknown options with our own message; type checkers see a plain struct."""


class Settings(_Options, frozen=True, kw_only=True):
    """How a service runs: ``Daebus("users", settings=Settings(stop_timeout=10))``.

    Attributes:
        max_concurrency: How many messages each handler handles at once in one process; default 128.
        max_workers: How many ``def`` handlers run at once in one process, each in a thread; default 32.
        partitions: How many streams each action has, from 1 to 1024, for a load that is too high for one stream. On a
            cluster each stream has a slot of its own. The streams share the concurrency of the action. After a change,
            a request with the same idempotency key may run once more. Default 1.
        stop_timeout: Seconds that work in flight may take when the service stops; default 30.
        drain_delay: Seconds for which a service that was asked to stop still works as before, but is no longer ready
            (``/health/ready``), so that load balancers send nothing more before it refuses connections. Default 0.
        max_lag: The delay of the event loop within the last 10 s, in seconds, from which on the service is not ready;
            0: any delay is accepted. Default 5.
        lease: Seconds after its last heartbeat at which an instance counts as dead; its messages in flight are then
            redelivered to other instances. It must be longer than any code holds the GIL, and short enough that a
            caller still waits when its request is redelivered. Default 6.
        on_lapse: What happens to the handlers in progress whose messages another instance has taken over, because this
            one was frozen, or cut off from Redis, for longer than its lease. With ``"cancel"``, the default, they are
            cancelled, as their outcome no longer counts; with ``"continue"`` they run on for nothing.
        hung_after: Seconds without progress of the event loop, because a handler blocks it, after which it counts as
            hung: the instance sends no more heartbeats, so that others take over its messages, and its process exits
            or is replaced. It must be longer than any handler blocks the event loop. 0: never. None, the default: as in
            the environment, ``DAEBUS_HUNG_AFTER``, otherwise 30.
        legacy: Whether the service talks to callers and services that still run daebus 0.0.31 (docs/migration.md);
            None, the default: only if the environment has ``DAEBUS_LEGACY=1``.
        on_conflict: What happens if two blueprints have the same action, route, socket type or task: with ``"warn"``,
            the default, the one registered last wins; with ``"error"`` it is refused.
        max_buffered: How many bytes one process buffers for all HTTP and WebSocket clients together: incomplete
            messages and bodies, and data that clients have not read yet. Above this limit, the slowest clients are
            disconnected. Default 64 MiB.
        signing_keys: The keys with which the service signs for which user it sends a message, and verifies what other
            services say; None, the default: whoever can write to Redis is trusted.
        limits: How large messages, replies and dead letters may be, and how many streams a caller may have open.
        check_contracts: Whether the log has a warning for each action of another service that the code of the service
            calls, if the contract is outdated: each service is asked once, when it runs. Default: False.
        version: The version of the service, for operators: ``daebus services`` shows it. None, the default: as in the
            environment, ``DAEBUS_VERSION``, otherwise unknown.
        metadata: What else operators want to know of the service, such as ``{"region": "eu"}``: at most 64 names with
            values, which ``daebus services`` shows. It is no secret. Default: nothing.

    Raises:
        WiringError: A setting is out of its range.
    """

    max_concurrency: int = 128
    max_workers: int = 32
    partitions: int = 1
    stop_timeout: float = 30.0
    drain_delay: float = 0.0
    max_lag: float = 5.0
    lease: float = 6.0
    on_lapse: OnLapse = "cancel"
    hung_after: float | None = None
    legacy: bool | None = None
    on_conflict: Conflict = "warn"
    max_buffered: int = 67_108_864
    signing_keys: SigningKeys | None = None
    limits: BusLimits = BusLimits()
    check_contracts: bool = False
    version: str | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Refuse values that are out of range."""
        subject = "Settings(...)"
        require_counts(
            subject,
            max_concurrency=self.max_concurrency,
            max_workers=self.max_workers,
            max_buffered=self.max_buffered,
        )
        require_count(subject, "partitions", self.partitions, most=MAX_PARTITIONS)
        require_seconds(subject, "stop_timeout", self.stop_timeout, or_zero=True)
        require_seconds(subject, "drain_delay", self.drain_delay, or_zero=True)
        require_seconds(subject, "max_lag", self.max_lag, or_zero=True)
        require_seconds(subject, "lease", self.lease)
        require_choice(subject, "on_lapse", self.on_lapse, get_args(OnLapse))
        if self.hung_after is not None:
            require_seconds(subject, "hung_after", self.hung_after, or_zero=True)
        require_choice(subject, "on_conflict", self.on_conflict, get_args(Conflict))
        if self.legacy not in (None, True, False):
            found, remedy = f"legacy={self.legacy!r}, which must be True, False or None", "correct it, or leave it out"
            raise refuse(subject, found, remedy, "wrong-option")
        if not isinstance(self.signing_keys, SigningKeys | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
            found = "signing_keys= must be SigningKeys"  # never the keys themselves
            raise refuse(subject, found, "write signing_keys=SigningKeys(key)", "wrong-option")
        if not isinstance(self.limits, BusLimits):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
            found, remedy = f"limits={self.limits!r}, which must be BusLimits", "write limits=BusLimits(...)"
            raise refuse(subject, found, remedy, "wrong-option")
        self._check_labels(subject)

    def _check_labels(self, subject: str) -> None:
        require_choice(subject, "check_contracts", self.check_contracts, (True, False))
        if self.version is not None and not _is_label(self.version):
            found = f"version={self.version!r}, which must be a text of 1 to {_LONGEST_LABEL} characters"
            raise refuse(subject, found, 'write version="1.4.2", or leave it out', "wrong-option")
        given = cast("object", self.metadata)
        if not isinstance(given, Mapping) or len(self.metadata) > _MOST_LABELS:
            found = f"metadata={given!r}, which must be a mapping of at most {_MOST_LABELS} names to texts"
            raise refuse(subject, found, 'write metadata={"region": "eu"}', "wrong-option")
        for name, value in cast("Mapping[object, object]", given).items():
            if not (_is_label(name) and _is_label(value)):
                found = f"metadata={{{name!r}: {value!r}}}: both must be texts of 1 to {_LONGEST_LABEL} characters"
                raise refuse(subject, found, 'write metadata={"region": "eu"}', "wrong-option")


def stop_seconds(settings: Settings) -> float:
    """Seconds from the request to stop until work in flight is cancelled."""
    return settings.drain_delay + settings.stop_timeout


def _is_label(given: object) -> bool:
    return isinstance(given, str) and 0 < len(given) <= _LONGEST_LABEL


def read_settings(subject: str, given: object) -> Settings:
    """The settings of an app; None: the defaults. Raises `WiringError` for any other object."""
    if not isinstance(given, Settings | None):
        found, remedy = f"settings={given!r}, which must be Settings", "write settings=Settings(...)"
        raise refuse(subject, found, remedy, "wrong-option")
    return given or Settings()
