"""How long the engine waits, in one place: tests hand in shorter times."""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_TIMINGS", "Timings"]


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Times of the engine in seconds, which are no settings of a service.

    Attributes:
        patience: How long the server may be silent while it owes replies, until a connection to it counts as dead.
        ping: Between two questions that tell whether an idle connection is alive.
        first_reminder: How long an outage lasts until the log is reminded of it; then after twice as long, and so on.
        beat: Between two heartbeats by which an instance says what it serves, and what it listens to.
        live: How long after its last heartbeat a service counts as served.
        fresh: How long a caller relies on what it knows of a service, until it looks again beside the call.
        commit_patience: From a commit on, how long is sent again what could not be sent, as the server was away.
        tend: Between two looks at all WebSocket clients, at which the registry is told, too, that they are connected.
        finish: How long a handler may go on once its WebSocket client has gone, or is disconnected.
        stuck: How long the network may take for one message, until its WebSocket client counts as gone.
        close: How long a WebSocket client that leaves may take for what waits for it, and for the closing handshake.
    """

    patience: float = 5.0
    ping: float = 10.0
    first_reminder: float = 5.0
    beat: float = 5.0
    live: float = 30.0
    fresh: float = 5.0
    commit_patience: float = 10.0
    tend: float = 5.0
    finish: float = 30.0
    stuck: float = 60.0
    close: float = 2.0


DEFAULT_TIMINGS = Timings()
