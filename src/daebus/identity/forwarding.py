"""The user of a message of the bus: sent on with what a handler sends, signed, and verified where it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Protocol, TypeAlias

import msgspec

from daebus.core.context import Context, current_context
from daebus.core.signing import BadSignatureError, SigningKeys, digest, require_signature, signed, unsigned, unverified
from daebus.errors import ConfigurationError, Unauthorized
from daebus.payloads.codec import UNDECODABLE, encode

__all__ = ["AUTHORIZATION", "USER", "Claims", "Forwarded", "Known", "forwarded", "forwarded_of", "with_user"]

AUTHORIZATION = "authorization"

USER = "daebus-user"
"""The header of a request or an event that says for which user it was sent."""

Audience: TypeAlias = tuple[str, ...]
"""The messages for which a user is named: ``("action", service, name)`` or ``("channel", name)``."""


class Clock(Protocol):
    """The server's clock."""

    def now(self) -> int:
        """The server's time in ms."""
        ...


class Node(Protocol):
    """The used part of the node of this process."""

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        ...

    @property
    def signing_keys(self) -> SigningKeys | None:
        """The keys that sign and verify users; None: the server is trusted."""
        ...


_CALL_SECONDS = 3_600  # a call that waits for longer has no caller any more
_LARGEST = 8_192


class Known(msgspec.Struct, frozen=True):
    """The user of a message, as `Identity` has found it.

    Attributes:
        user: The user.
        subject: The id of the user; None: there is none.
        forwards: Whether the user is sent on.
    """

    user: object
    subject: str | None
    forwards: bool


class Claims(msgspec.Struct, omit_defaults=True):
    """What a service says about a user; most names are those of JWT (RFC 7519).

    Attributes:
        iss: The service that says it.
        aud: For which messages: ``action <service> <name>``, or ``channel <name>``.
        iat: When it was said, in seconds of the server's clock.
        usr: The user, as JSON.
        sub: The id of the user; None: there is none.
        exp: Until when the signature is accepted; None: it is not signed.
        dig: The SHA-256 of the payload, in base64url; None: it is not signed.
    """

    iss: str
    aud: str
    iat: int
    usr: msgspec.Raw
    sub: str | None = None
    exp: int | None = None
    dig: str | None = None


_decode = msgspec.json.Decoder(Claims).decode


class Forwarded(msgspec.Struct, frozen=True):
    """A token that came with a message of the bus, and everything that is needed to verify it.

    Attributes:
        token: The token.
        audience: The message.
        body: Its payload.
        node: This process, with the keys and the clock.
    """

    token: str
    audience: Audience
    body: bytes | msgspec.Raw
    node: Node

    def verified(self) -> Claims:
        """What the token says. Without keys, the server is trusted. Raises `Unauthorized`."""
        try:
            return self._claims()
        except BadSignatureError as error:
            raise Unauthorized(f"The user of the message cannot be trusted: {error}") from None

    def _claims(self) -> Claims:
        try:
            claims = _decode(unverified(self.token))
        except UNDECODABLE:
            raise BadSignatureError("its claims are malformed") from None
        keys = self.node.signing_keys
        if keys is None:
            return claims
        require_signature(self.token, keys.of(claims.iss))
        if claims.exp is None or claims.exp < self.node.clock.now() // 1000:
            raise BadSignatureError("its signature has expired")
        if (claims.aud, claims.dig) != (" ".join(self.audience), digest(memoryview(self.body))):
            raise BadSignatureError("it was signed for another message")
        return claims


_part_of: Callable[[Context], object] = attrgetter("_part")
_known_of: Callable[[Context], object] = attrgetter("_known")


def forwarded_of(context: Context) -> Forwarded | None:
    """The token that came with a message; None: it has none."""
    part = _part_of(context)
    return part if isinstance(part, Forwarded) else None


def forwarded(
    headers: Mapping[str, str], audience: Audience, body: bytes | msgspec.Raw, node: Node
) -> Forwarded | None:
    """The token in the headers of a message of the bus; None: it has none."""
    token = headers.get(USER)
    return None if token is None else Forwarded(token, audience, body, node)


def with_user(
    headers: dict[str, str] | None,
    audience: Audience,
    body: bytes | msgspec.Raw,
    node: Node,
    *,
    kept: bool = False,
) -> dict[str, str] | None:
    """The headers of a message, and the user for whom it is sent.

    That is the user of the message that is being handled. A sender who gives the header ``authorization`` speaks for
    somebody else.

    Args:
        headers: The headers.
        audience: The message.
        body: Its payload.
        node: This process.
        kept: Whether it is kept until it is handled, also after a failure, or has a caller who waits for it.

    Raises:
        ConfigurationError: The user is too large, or this service has no key.
        Unauthorized: The user of the message that is being handled cannot be trusted.
    """
    context = current_context.get()
    if context is None or (headers is not None and AUTHORIZATION in headers):
        return headers
    said = _said(context)
    if said is None:
        return headers
    now, keys = node.clock.now() // 1000, node.signing_keys
    claims = Claims(iss=context.service, aud=" ".join(audience), iat=now, usr=said[0], sub=said[1])
    if keys is None:
        token = unsigned(encode(claims))
    else:
        claims.exp = now + int(keys.max_age.total_seconds() if kept else _CALL_SECONDS)
        own = keys.of(context.service)
        if not own:
            raise ConfigurationError(f"SigningKeys has no key of {context.service!r}, so it cannot speak for a user")
        claims.dig = digest(memoryview(body))
        token = signed(encode(claims), own[0])
    if len(token) > _LARGEST:
        raise ConfigurationError(
            f"The user has {len(said[0])} bytes as JSON, which is too large to be sent on: let find_user return an id "
            "and what every service needs, or write Identity(..., forward=False)"
        )
    return {**(headers or {}), USER: token}


def _said(context: Context) -> tuple[msgspec.Raw, str | None] | None:
    """The user to send on, as JSON, and the user's id; None: there is none."""
    known = _known_of(context)
    if isinstance(known, Known):
        return (msgspec.Raw(encode(known.user)), known.subject) if known.forwards else None
    came = forwarded_of(context)
    if came is None:
        return None
    claims = came.verified()
    return claims.usr, claims.sub
