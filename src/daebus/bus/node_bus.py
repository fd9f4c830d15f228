"""`NodeBus`: the bus of a process that is on the bus already, such as that of a service."""

from __future__ import annotations

from daebus.delivery.interceptors import NONE, Interceptors

from .bus import Bus
from .caller import Caller
from .forwarding import Forwarding

__all__ = ["NodeBus"]


class NodeBus(Bus):
    """A bus over the connections of a process. Their opener closes them.

    Args:
        caller: Sends requests on behalf of the process.
        interceptors: Interceptors of everything that it sends.
    """

    def __init__(self, caller: Caller, interceptors: Interceptors = NONE) -> None:
        super().__init__()
        self._caller = caller
        self._forward = Forwarding(interceptors)
