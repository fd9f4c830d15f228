"""`Session`: what is known of the sender of several messages, for as long as its connection is open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter

__all__ = ["HasSession", "Session", "session_of"]


class Session:
    """The sender of all messages on one connection.

    Attributes:
        scope: What Litestar's middleware has stored in the scope of the handshake, such as ``user``.
        answers: What was found out about the sender, by who has asked.
    """

    __slots__ = ("answers", "scope")

    def __init__(self, scope: Mapping[str, object]) -> None:
        self.scope = scope
        self.answers: dict[object, object] = {}


class HasSession:
    """Base of what a transport passes beside the messages of one connection."""

    __slots__ = ("_session",)

    _session: Session


session_of: Callable[[HasSession], Session] = attrgetter("_session")
"""The session of a connection; handlers do not see it."""
