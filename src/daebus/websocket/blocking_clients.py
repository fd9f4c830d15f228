"""The blocking version of `Clients`, for ``def`` handlers and threads."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Literal, TypeVar, overload

from daebus.core.affinity import ThreadOnly
from daebus.core.loop_thread import LoopThread
from daebus.declare.contracts import Message
from daebus.delivery.after_commit import After
from daebus.payloads.encodable import Encodable

from .clients import Clients

__all__ = ["BlockingClients"]

Data = TypeVar("Data", bound=Encodable)


class BlockingClients(ThreadOnly):
    """`Clients` for ``def`` handlers and threads: the service ``blocking_clients``."""

    __twin__: ClassVar[str] = "clients"

    def __init__(self, clients: Clients, loop: asyncio.AbstractEventLoop) -> None:
        self._clients = clients
        self._loop = LoopThread(loop)

    def broadcast(self, message: Message[Data], data: Data, *, after: After = None) -> None:
        """Send a message to every client. The clients of this replica get it even if the others cannot be reached.

        Args:
            message: Its name is the type of the envelope.
            data: The payload.
            after: ``"commit"``: it is sent after the message that is being handled has succeeded, before its answer,
                as an event does: see `Bus.publish`. None: at once.

        Raises:
            ConfigurationError: `after` is ``"commit"``, and no message is being handled.
        """
        self._loop.wait_for(self._clients.broadcast(message, data, after=after))

    @overload
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: None = None) -> bool: ...
    @overload
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: Literal["commit"]) -> None: ...
    def send(self, client_id: str, message: Message[Data], data: Data, *, after: After = None) -> bool | None:
        """Send a message to one client, wherever it is connected.

        Args:
            client_id: The client's `Client.id`.
            message: Its name is the type of the envelope.
            data: The payload.
            after: ``"commit"`` or None, as in `broadcast`.

        Returns:
            Whether there is such a client; None if the message is sent after the commit.

        Raises:
            ConfigurationError: `after` is ``"commit"``, and no message is being handled.
        """
        if after is None:
            return self._loop.wait_for(self._clients.send(client_id, message, data))
        return self._loop.wait_for(self._clients.send(client_id, message, data, after=after))

    def connected(self) -> list[str]:
        """The ids of all clients, sorted. The clients of a killed replica remain in the list for 30 s."""
        return self._loop.wait_for(self._clients.connected())

    def disconnect(self, client_id: str, reason: str = "") -> None:
        """Disconnect a client of any replica; does nothing if it is not connected. See `Client.close`.

        Args:
            client_id: The client's `Client.id`.
            reason: The reason of the close frame, which the client gets; default: none.
        """
        self._loop.wait_for(self._clients.disconnect(client_id, reason))
