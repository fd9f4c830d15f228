"""`Credentials`: what a message says about its sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from operator import attrgetter
from types import MappingProxyType
from typing import cast

import msgspec

from daebus.core.context import Actor, Context, HasSession, Session, Source, current_context, session_of

__all__ = ["Credentials", "actor_of", "current_credentials", "note_actor", "session_of_context"]

_NOTHING: Mapping[str, object] = MappingProxyType({})
_ACTOR = "daebus.actor"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says about its sender. Nothing of it is verified yet."""

    source: Source
    """Where the message comes from."""
    scheme: str = ""
    """The scheme of the ``Authorization`` header in lower case, such as ``bearer``; empty: there is none.

    A WebSocket client can also send its token as a subprotocol or in a message; that counts as the header.
    """
    token: str = ""
    """The rest of that header, such as the token; empty: there is none."""
    headers: Mapping[str, str] = {}
    """All headers of the message, or of the WebSocket's handshake, by their names in lower case."""
    scope: Mapping[str, object] = {}
    """The ASGI scope, with what Litestar's middleware has stored in it: ``user``, ``auth`` and ``session``.

    Empty on the bus.
    """

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by their names; empty if the header ``cookie`` is malformed."""
        try:
            return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("cookie", "")).items()}
        except CookieError:
            return {}


_part_of: Callable[[Context], object] = attrgetter("_part")


def current_credentials() -> Credentials:
    """The credentials of the message that is being handled. Raises `LookupError` if it has no sender."""
    context = current_context.get()
    if context is None or context.source is None:
        raise LookupError("the code that runs here handles no message of a sender, so there are no credentials")
    session = session_of_context(context)
    given = None if session is None else session.authorization
    scheme, _, token = (context.headers.get("authorization", "") if given is None else given).strip().partition(" ")
    return Credentials(
        source=context.source,
        scheme=scheme.lower(),
        token=token.strip(),
        headers=context.headers,
        scope=_scope_of(context) if session is None else session.scope,
    )


def session_of_context(context: Context) -> Session | None:
    """The session of the connection on which a message came; None: its transport has no connections."""
    part = _part_of(context)
    return session_of(part) if isinstance(part, HasSession) else None


def note_actor(context: Context, actor: Actor) -> None:
    """Say for whom a message is handled. For an HTTP request its scope keeps this, too, for the log of a failure."""
    msgspec.structs.force_setattr(context, "_known", actor)
    scope = _scope_of(context)
    if isinstance(scope, dict):
        scope[_ACTOR] = actor


def actor_of(scope: Mapping[str, object]) -> Actor | None:
    """For whom the request of an ASGI scope was handled; None: the handler has no user, or was not called."""
    return cast("Actor | None", scope.get(_ACTOR))


def _scope_of(context: Context) -> Mapping[str, object]:
    part = _part_of(context)
    return cast("Mapping[str, object]", part) if context.source == "http" and isinstance(part, Mapping) else _NOTHING
