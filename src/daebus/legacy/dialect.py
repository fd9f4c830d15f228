"""The wire format of daebus 0.0.31 for the bus and the app: used if configured, otherwise only detected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from daebus.connection.node import Node
from daebus.connection.subscriber import Receive
from daebus.connection.wire import Answered
from daebus.errors import NoSuchService
from daebus.protocol.messages import Request
from daebus.protocol.replies import Waiting
from daebus.queues.leases import Lease
from daebus.telemetry.logs import Logger

from .callers import OldCallers, Stream
from .services import OldServices, hears_requests
from .setting import speaks_old_wire

__all__ = ["OldWire", "UnspokenOldWire", "dialect_of"]


def dialect_of(legacy: bool | None) -> Callable[[Node], OldWire | UnspokenOldWire]:  # noqa: FBT001  # a setting
    """The factory of the dialect of a process.

    Args:
        legacy: Whether the old wire format is used; None: whether the environment has ``DAEBUS_LEGACY=1``.

    Raises:
        ConfigurationError: The environment variable is neither 0 nor 1.
    """
    return OldWire if speaks_old_wire(legacy) else UnspokenOldWire


class OldWire(OldServices):
    """The wire format of daebus 0.0.31, if it is used: the dialect for calls, and the servers for callers.

    Args:
        node: The process.
    """

    is_spoken: bool = True

    def servers(
        self, service: str, actions: Mapping[str, bool], lease: Lease, stream: Stream, logger: Logger
    ) -> Sequence[OldCallers]:
        """The servers for callers that speak it; see `OldCallers`."""
        return [OldCallers(self._node, service, actions, lease, stream, logger)]


class UnspokenOldWire:
    """The wire format of daebus 0.0.31, if it is not used: the error for a missing service mentions old services.

    Args:
        node: The process.
    """

    is_spoken: bool = False

    def __init__(self, node: Node) -> None:
        self._node = node

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """The error for a service without instances."""
        if not await hears_requests(self._node, service):
            return missing
        hint = (
            f" Something subscribes to the channel {service!r}: if that is a service of daebus 0.0.31, enable "
            "its protocol with legacy=True or DAEBUS_LEGACY=1."
        )
        return NoSuchService(missing.message + hint, details=missing.details)

    async def prepare(self, request: Request, receive: Receive) -> None:
        """Do nothing: no request is sent over it."""

    def ask(self, request: Request, sent: Answered) -> None:
        """Do nothing: no request is sent over it."""

    async def send(self, request: Request) -> bool:
        """Send nothing: return False."""
        return False

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """Return `waiting` unchanged: no request is sent over it."""
        return waiting

    def servers(
        self, service: str, actions: Mapping[str, bool], lease: Lease, stream: Stream, logger: Logger
    ) -> Sequence[OldCallers]:
        """No servers: no caller is served over it."""
        return []
