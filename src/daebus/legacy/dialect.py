"""The wire of daebus 0.0.31 at the seams of the bus and the app: spoken where that is asked for, else only noticed."""

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
    """What makes the dialect of a process.

    Args:
        legacy: Whether it is spoken; None: where the environment has ``DAEBUS_LEGACY=1``.

    Raises:
        ConfigurationError: The environment variable is neither 0 nor 1.
    """
    return OldWire if speaks_old_wire(legacy) else UnspokenOldWire


class OldWire(OldServices):
    """The wire of daebus 0.0.31, spoken: the dialect of what calls, and servers for callers.

    Args:
        node: The process.
    """

    is_spoken: bool = True

    def servers(
        self, service: str, actions: Mapping[str, bool], lease: Lease, stream: Stream, logger: Logger
    ) -> Sequence[OldCallers]:
        """What serves callers that speak it; see `OldCallers`."""
        return [OldCallers(self._node, service, actions, lease, stream, logger)]


class UnspokenOldWire:
    """The wire of daebus 0.0.31, not spoken: where nobody serves a service, the error says that it may be an old one.

    Args:
        node: The process.
    """

    is_spoken: bool = False

    def __init__(self, node: Node) -> None:
        self._node = node

    async def instead(self, missing: NoSuchService, service: str) -> NoSuchService | None:
        """The error for a service that nobody serves."""
        if not await hears_requests(self._node, service):
            return missing
        hint = (
            f" Something subscribes to the channel {service!r}: if that is a service of daebus 0.0.31, turn its wire "
            "on with legacy=True or DAEBUS_LEGACY=1."
        )
        return NoSuchService(missing.message + hint, details=missing.details)

    async def prepare(self, request: Request, receive: Receive) -> None:
        """Nothing is asked over it."""

    def ask(self, request: Request, sent: Answered) -> None:
        """Nothing is asked over it."""

    async def send(self, request: Request) -> bool:
        """Nothing is sent over it."""
        return False

    def expecting(self, waiting: Waiting, ends: float, *, streams: bool) -> Waiting:
        """Nothing is asked over it."""
        return waiting

    def servers(
        self, service: str, actions: Mapping[str, bool], lease: Lease, stream: Stream, logger: Logger
    ) -> Sequence[OldCallers]:
        """Nobody is served over it."""
        return []
