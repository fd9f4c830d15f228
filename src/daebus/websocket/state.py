"""The states of a WebSocket connection, and the effect of a close request in each of them."""

from __future__ import annotations

import enum

__all__ = ["AT_CLOSE", "CONNECTING", "INTERRUPTED", "OPEN", "State"]


class State(enum.Enum):
    """The state of a connection: handshake, open, closing, closed."""

    HANDSHAKE = "The connect handler decides whether the client is accepted."
    LOGIN = "The client is to send its credentials, before the connect handler decides."
    REFUSING = "The same, but the connection is to be closed: the client is refused in any case."
    ACCEPTING = "The server tells the client that it is accepted."
    HANDLING = "Open: a message is handled, or the connect handler's answer is sent."
    ANSWERING = "Open: the answer to a message waits until the server has taken what was sent before."
    RECEIVING = "Open: the connection waits for a message."
    CLOSING = "No message is handled any more; what waits for the client is sent, then the close frame."
    CLOSED = "Nothing is sent any more: the client was refused, or has left and the disconnect handlers run."


CONNECTING = (State.HANDSHAKE, State.LOGIN, State.REFUSING, State.ACCEPTING)
"""The client is not connected yet: it can be refused."""

OPEN = (State.HANDLING, State.ANSWERING, State.RECEIVING)
"""Messages are handled."""

INTERRUPTED = (State.ANSWERING, State.RECEIVING, State.LOGIN)
"""No handler runs: a close request interrupts the wait of the connection at once."""

AT_CLOSE = {
    State.HANDSHAKE: State.REFUSING,
    State.LOGIN: State.REFUSING,
    State.ACCEPTING: State.CLOSING,
    **dict.fromkeys(OPEN, State.CLOSING),
}
"""The next state after a close request. In other states the request changes nothing."""
