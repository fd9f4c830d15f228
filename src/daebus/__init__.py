"""Typed services that talk to each other.

What stands left of the ``*`` in a handler's signature comes from the message; what stands right of it comes from the
container.

Where things are, from the bottom up; a module imports only from its own layer or a lower one:

- ``core``: errors, contracts, signatures, the decorators and what they record; no input or output.
- ``wiring``: the container, injection, and ``dispatch``, the one place where a message meets a handler.
- ``transports``: Redis, actions, channels, HTTP, WebSocket, schedules, threads.
- ``app``: `Daebus`, one run of it, the process around it.
- ``cli``, ``testing``: the edges.
"""

import sys
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

# Checkers and editors read these imports, the run time reads `_HOMES`, so that whoever needs
# one module, such as mypy for its plugin, does not wait for all of them.
if TYPE_CHECKING:
    from daebus.app.blocking import BlockingBus, BlockingClients
    from daebus.app.blueprint import Blueprint
    from daebus.app.container import ServiceContainer
    from daebus.app.service import Daebus
    from daebus.core.context import Context
    from daebus.core.contracts import Action, Channel, Message, StreamAction
    from daebus.core.errors import DaebusError, Reject, WiringError
    from daebus.core.logs import Logger
    from daebus.core.running import Running
    from daebus.transports.bus import Bus
    from daebus.transports.clients import Client, Clients
    from daebus.transports.edge import DaebusHttp, DaebusWebSocket
    from daebus.transports.threads import Threads
    from daebus.wiring.injection import use
    from daebus.wiring.per_message import PerMessage

__all__ = [
    "Action",
    "BlockingBus",
    "BlockingClients",
    "Blueprint",
    "Bus",
    "Channel",
    "Client",
    "Clients",
    "Context",
    "Daebus",
    "DaebusError",
    "DaebusHttp",
    "DaebusWebSocket",
    "Logger",
    "Message",
    "PerMessage",
    "Reject",
    "Running",
    "ServiceContainer",
    "StreamAction",
    "Threads",
    "WiringError",
    "use",
]

_HOMES = {
    "BlockingBus": "app.blocking",
    "BlockingClients": "app.blocking",
    "Blueprint": "app.blueprint",
    "ServiceContainer": "app.container",
    "Daebus": "app.service",
    "Context": "core.context",
    "Action": "core.contracts",
    "Channel": "core.contracts",
    "Message": "core.contracts",
    "StreamAction": "core.contracts",
    "DaebusError": "core.errors",
    "Reject": "core.errors",
    "WiringError": "core.errors",
    "Logger": "core.logs",
    "Running": "core.running",
    "Bus": "transports.bus",
    "Client": "transports.clients",
    "Clients": "transports.clients",
    "DaebusHttp": "transports.edge",
    "DaebusWebSocket": "transports.edge",
    "Threads": "transports.threads",
    "use": "wiring.injection",
    "PerMessage": "wiring.per_message",
}


# Checkers would take a module that has this for one that has every name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise _unknown(name, sys._getframe(1))  # noqa: SLF001  # how else is the caller known?
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value

    def _unknown(name: str, caller: FrameType) -> Exception:
        """What to raise for a name that is not here: as an ImportError the hint is shown, and by an import alone."""
        from daebus.core.foreign_names import hint_for, is_imported_by  # noqa: PLC0415  # only for mistakes

        hint = "" if name.startswith("__") else hint_for(name, _HOMES)
        if is_imported_by(caller):
            return ImportError(f"cannot import name {name!r} from {__name__!r}{hint}", name=__name__, path=__file__)
        return AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)

    def __dir__() -> list[str]:
        return __all__
