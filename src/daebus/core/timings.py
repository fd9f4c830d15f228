"""The timeouts and intervals of the engine, in one place: tests use shorter ones."""

from __future__ import annotations

import msgspec

__all__ = ["DEFAULT_TIMINGS", "Timings"]


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Timeouts and intervals of the engine in seconds, which are no settings of a service.

    Attributes:
        patience: How long the server may be silent while replies are due, before a connection counts as dead.
        ping: The interval of the checks whether an idle connection is alive.
        first_reminder: How long an outage lasts until the log is reminded of it; then after twice as long, and so on.
        clock: The interval at which the server's clock is read again, because it may be set.
        beat: The interval of the heartbeats by which an instance announces what it serves and listens to.
        live: How long after its last heartbeat a service counts as served.
        fresh: How long a caller relies on its knowledge of a service before it looks again, in parallel with the call.
        commit_patience: How long after a commit a failed send is retried while the server is away.
        recheck: The interval of the checks for messages that the server delivered to this instance and that got lost.
        trim: The interval at which handled events of durable channels are deleted.
        tend: The interval of the checks of all WebSocket clients, which also refresh their entries in the registry.
        notice: The interval of the checks whether a handler of a WebSocket message still runs: it is then listened
            whether its client cancels the message, or leaves.
        finish: How long a handler may continue once its WebSocket client has gone, or is disconnected.
        stuck: How long the network may take for one message before its WebSocket client counts as gone.
        close: How long a leaving WebSocket client may take for its waiting messages and the closing handshake.
        room_lease: How long the members of rooms at a replica that was killed count as present at most.
        opening: How long a component may take to open until the log says so; then after twice as long, and so on.
    """

    patience: float = 5.0
    ping: float = 10.0
    first_reminder: float = 5.0
    clock: float = 2.0
    beat: float = 5.0
    live: float = 30.0
    fresh: float = 5.0
    commit_patience: float = 10.0
    recheck: float = 60.0
    trim: float = 10.0
    tend: float = 5.0
    notice: float = 0.1
    finish: float = 30.0
    stuck: float = 60.0
    close: float = 2.0
    room_lease: float = 15.0
    opening: float = 5.0


DEFAULT_TIMINGS = Timings()
