"""Typed services that talk to each other.

Parameters left of the ``*`` in a handler's signature come from the message. Parameters right of it come from the
container.

The folders, from the lowest layer to the highest; docs/architecture.md shows which may import which:

- ``mistakes``, ``errors``, ``core``, ``payloads``: the text of wiring mistakes, errors, small tools, JSON.
- ``declare``: contracts, decorators, and what they record. ``wiring`` compiles it with the container at registration.
- ``delivery``: the call of a handler with a message. Read this first.
- ``identity``: who has sent a message.
- ``embedded``, ``connection``, ``protocol``, ``telemetry``: the server, connections, the wire format, the log.
- ``queues``, ``discovery``, ``legacy``, ``bus``, ``actions``, ``channels``, ``tasks``: services that talk over Redis.
- ``server``, ``asgi``, ``http``, ``websocket``, ``openapi``: HTTP and WebSocket.
- ``interceptors``: the public types of interceptors.
- ``operations``, ``process``, ``app``: tools for operators, the process of a service, `Daebus`.
- ``cli``, ``testing``, ``mypy``: the command line, tests of services, the mypy plugin.
"""

import sys
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

# Type checkers and editors read these imports; the run time reads `_HOMES`, so that code that needs
# one module, such as mypy for its plugin, does not wait for all of them.
if TYPE_CHECKING:
    from daebus.app.blueprint import Blueprint
    from daebus.app.component import Component, ServiceRun
    from daebus.app.container import ServiceContainer
    from daebus.app.service import Daebus
    from daebus.app.settings import Settings
    from daebus.asgi.settings import DaebusHttp, DaebusWebSocket, HttpLimits, WebSocketLimits
    from daebus.bus.blocking import BlockingBus
    from daebus.bus.bus import Bus
    from daebus.bus.following import Followed
    from daebus.core.context import Context
    from daebus.core.signing import SigningKeys
    from daebus.declare.contracts import Action, Channel, Message, StreamAction
    from daebus.declare.rooms import Room, RoomAddress
    from daebus.declare.running import Running
    from daebus.declare.schedules import Run
    from daebus.delivery.per_message import PerMessage
    from daebus.errors import Reject, WiringError
    from daebus.identity.credentials import Credentials
    from daebus.identity.provider import Identity
    from daebus.identity.schemes import SecurityScheme
    from daebus.payloads.encodable import Encodable
    from daebus.protocol.limits import BusLimits
    from daebus.rooms.blocking import BlockingRooms
    from daebus.rooms.rooms import Member, Rooms
    from daebus.tasks.threads import Threads
    from daebus.telemetry.logs import Logger
    from daebus.websocket.blocking_clients import BlockingClients
    from daebus.websocket.clients import Client, Clients
    from daebus.wiring.binding import use

__all__ = [
    "Action",
    "BlockingBus",
    "BlockingClients",
    "BlockingRooms",
    "Blueprint",
    "Bus",
    "BusLimits",
    "Channel",
    "Client",
    "Clients",
    "Component",
    "Context",
    "Credentials",
    "Daebus",
    "DaebusHttp",
    "DaebusWebSocket",
    "Encodable",
    "Followed",
    "HttpLimits",
    "Identity",
    "Logger",
    "Member",
    "Message",
    "PerMessage",
    "Reject",
    "Room",
    "RoomAddress",
    "Rooms",
    "Run",
    "Running",
    "SecurityScheme",
    "ServiceContainer",
    "ServiceRun",
    "Settings",
    "SigningKeys",
    "StreamAction",
    "Threads",
    "WebSocketLimits",
    "WiringError",
    "use",
]

_HOMES = {
    "BlockingBus": "bus.blocking",
    "BlockingClients": "websocket.blocking_clients",
    "Blueprint": "app.blueprint",
    "Component": "app.component",
    "ServiceRun": "app.component",
    "ServiceContainer": "app.container",
    "Daebus": "app.service",
    "Settings": "app.settings",
    "Context": "core.context",
    "Action": "declare.contracts",
    "Channel": "declare.contracts",
    "Message": "declare.contracts",
    "StreamAction": "declare.contracts",
    "Encodable": "payloads.encodable",
    "Reject": "errors",
    "WiringError": "errors",
    "Logger": "telemetry.logs",
    "Run": "declare.schedules",
    "Running": "declare.running",
    "Bus": "bus.bus",
    "Followed": "bus.following",
    "Client": "websocket.clients",
    "Clients": "websocket.clients",
    "BlockingRooms": "rooms.blocking",
    "Member": "rooms.rooms",
    "Room": "declare.rooms",
    "RoomAddress": "declare.rooms",
    "Rooms": "rooms.rooms",
    "DaebusHttp": "asgi.settings",
    "DaebusWebSocket": "asgi.settings",
    "HttpLimits": "asgi.settings",
    "WebSocketLimits": "asgi.settings",
    "BusLimits": "protocol.limits",
    "Threads": "tasks.threads",
    "use": "wiring.binding",
    "PerMessage": "delivery.per_message",
    "Credentials": "identity.credentials",
    "Identity": "identity.provider",
    "SecurityScheme": "identity.schemes",
    "SigningKeys": "core.signing",
}


# Type checkers would assume that a module with this function has every name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise _unknown(name, sys._getframe(1))  # noqa: SLF001  # how else is the caller known?
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value

    def _unknown(name: str, caller: FrameType) -> Exception:
        """The error for an unknown name: an ImportError for an import, so that the hint is shown."""
        from daebus.mistakes.foreign_names import hint_for, is_imported_by  # noqa: PLC0415  # only for mistakes

        hint = "" if name.startswith("__") else hint_for(name, _HOMES)
        if is_imported_by(caller):
            return ImportError(f"cannot import name {name!r} from {__name__!r}{hint}", name=__name__, path=__file__)
        return AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}", name=name)

    def __dir__() -> list[str]:
        return __all__
