"""The WebSocket clients as handlers see them: one `Client`, or all `Clients` of the service. Loads no web framework."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar, overload

import msgspec
from typing_extensions import override

from daebus.core.affinity import LoopOnly
from daebus.core.context import HasSession, Session
from daebus.declare.contracts import Message
from daebus.delivery.after_commit import After, defer
from daebus.payloads.codec import encode
from daebus.payloads.encodable import Encodable
from daebus.protocol.envelopes import Envelope
from daebus.telemetry.traces import pushed

if TYPE_CHECKING:
    from .replicas import ClientConnection, Replicas

__all__ = ["Client", "Clients"]

D = TypeVar("D", bound=Encodable)
T = TypeVar("T")


class ClientState:
    """Data that handlers store for a client: by type, so that type checkers know the type of the value, or by name.

    ``client.state[ChatUser] = ChatUser("u1")``, later ``client.state[ChatUser].user_id``. Under a name the value is
    an `object`: ``client.state["room"] = "lobby"``.
    """

    __slots__ = ("_notes",)

    def __init__(self) -> None:
        self._notes: dict[object, object] = {}

    @overload
    def __getitem__(self, key: type[T]) -> T: ...
    @overload
    def __getitem__(self, key: str) -> object: ...
    def __getitem__(self, key: type[T] | str) -> T | object:
        return self._notes[key]

    @overload
    def get(self, key: type[T]) -> T | None: ...
    @overload
    def get(self, key: str) -> object: ...
    def get(self, key: type[T] | str) -> T | object | None:
        """The value stored under a type or a name; None if there is none.

        Args:
            key: The type, or the name.
        """
        return self._notes.get(key)

    def __setitem__(self, key: type[T] | str, value: T) -> None:
        if isinstance(key, type) and not isinstance(value, key):
            raise TypeError(f"client.state[{key.__name__}] must be a {key.__name__}, not {value!r}.")
        self._notes[key] = value

    def __delitem__(self, key: type | str) -> None:
        del self._notes[key]

    def __contains__(self, key: type | str) -> bool:
        return key in self._notes

    @override
    def __repr__(self) -> str:
        return f"ClientState({self._notes!r})"


class Client(HasSession):
    """One WebSocket client, as the handlers of its messages see it."""

    def __init__(
        self,
        client_id: str,
        connection: ClientConnection,
        headers: Mapping[str, str],
        scope: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.id = client_id
        """Unique over all replicas and for all time."""
        self.state: ClientState = ClientState()
        """Data that the handlers store for it."""
        self.headers = headers
        """The headers of its handshake request, such as ``cookie`` and ``origin``, by their names in lower case."""
        self._connection = connection
        self._session = Session(scope)

    async def send(self, message: Message[D], data: D, *, after: After = None) -> None:
        """Send a message. Does nothing if the client has disconnected.

        In a handler of this client, the call returns when the message is on its way, so that a handler that sends a lot
        is slowed down to the speed of the client (backpressure). Elsewhere, and after the commit, it never waits; a
        client whose queue is full is disconnected with code 1013. In the connect handler, the message is sent after the
        client is accepted.

        Args:
            message: Its name is the type of the envelope: ``Message[User]("user_online")``.
            data: The payload.
            after: ``"commit"``: it is sent after the message that is being handled has succeeded, before its answer,
                as an event does: see `Bus.publish`. None: at once.

        Raises:
            ConfigurationError: `after` is ``"commit"``, and no message is being handled.
        """
        envelope = _envelope(message, data)
        text = envelope.decode()
        send = partial(pushed, message.name, partial(self._connection.send, text))
        if after is None:
            await send()
        else:
            defer(after, f"message {message.name!r} to a client", send, envelope)

    async def close(self, reason: str = "") -> None:
        """Disconnect the client with code 1000, after its current handler has finished and its answer is sent.

        Messages of the client that wait for their handlers are dropped. In the connect handler, the client is refused.

        Args:
            reason: The reason of the close frame, which the client gets; default: none.
        """
        self._connection.disconnect(reason)

    @override
    def __repr__(self) -> str:
        return f"<Client {self.id}>"


class Clients(LoopOnly):
    """The WebSocket clients of the service, on all its replicas.

    To reach the clients of another service, use an action or an event of that service.

    All methods raise `Unavailable` if the server that the replicas share cannot be reached.
    """

    __twin__: ClassVar[str] = "blocking_clients"

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    async def broadcast(self, message: Message[D], data: D, *, after: After = None) -> None:
        """Send a message to every client. The clients of this replica get it even if the others cannot be reached.

        Args:
            message: Its name is the type of the envelope.
            data: The payload.
            after: ``"commit"``: it is sent after the message that is being handled has succeeded, before its answer,
                as an event does: see `Bus.publish`. None: at once.

        Raises:
            ConfigurationError: `after` is ``"commit"``, and no message is being handled.
        """
        envelope = _envelope(message, data)
        send = partial(pushed, message.name, partial(self._replicas.broadcast, envelope))
        if after is None:
            await send()
        else:
            defer(after, f"message {message.name!r} to all clients", send, envelope)

    @overload
    async def send(self, client_id: str, message: Message[D], data: D, *, after: None = None) -> bool: ...
    @overload
    async def send(self, client_id: str, message: Message[D], data: D, *, after: Literal["commit"]) -> None: ...
    async def send(self, client_id: str, message: Message[D], data: D, *, after: After = None) -> bool | None:
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
        envelope = _envelope(message, data)
        if after is None:
            return await pushed(message.name, partial(self._replicas.send, client_id, envelope))
        title = f"message {message.name!r} to client {client_id}"
        defer(after, title, partial(pushed, message.name, partial(self._replicas.send, client_id, envelope)), envelope)
        return None

    async def connected(self) -> list[str]:
        """The ids of all clients, sorted. The clients of a killed replica remain in the list for 30 s."""
        return await self._replicas.connected()

    async def disconnect(self, client_id: str, reason: str = "") -> None:
        """Disconnect a client of any replica; does nothing if it is not connected. See `Client.close`.

        Args:
            client_id: The client's `Client.id`.
            reason: The reason of the close frame, which the client gets; default: none.
        """
        await self._replicas.disconnect(client_id, reason)


def _envelope(message: Message[D], data: D) -> bytes:
    return encode(Envelope(message.name, msgspec.Raw(encode(data))))
