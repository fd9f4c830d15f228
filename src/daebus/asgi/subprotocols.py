"""The subprotocols of WebSockets, by which browsers send a token: they cannot set headers of a handshake."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

__all__ = ["AUTHENTICATE", "PLAIN", "take_token"]

PLAIN = "daebus"
"""The protocol of the messages. A client that offers a token must offer this, too: only this one is accepted."""

AUTHENTICATE = "daebus.authenticate"
"""The same protocol; the first message of the client has its credentials."""

_TOKEN = "daebus.bearer."  # noqa: S105  # no token, but what stands before one
_OFFERED = b"sec-websocket-protocol"


def take_token(scope: Any) -> None:
    """Make the token in the offered subprotocols the header ``authorization``, as if the client had sent that.

    It is removed from the subprotocols, as these are sent back and logged. It does not replace the header.
    """
    token, is_authorized = None, False
    kept: list[tuple[bytes, bytes]] = []
    offers: list[str] = []
    for name, value in scope["headers"]:
        if name != _OFFERED:
            kept.append((name, value))
            is_authorized = is_authorized or name == b"authorization"
            continue
        for offer in map(str.strip, value.decode("latin-1").split(",")):
            if offer.startswith(_TOKEN):
                token = unquote(offer.removeprefix(_TOKEN))
            elif offer:
                offers.append(offer)
    if token is None:
        scope.setdefault("subprotocols", offers)
        return
    if offers:
        kept.append((_OFFERED, ", ".join(offers).encode("latin-1")))
    if not is_authorized:
        kept.append((b"authorization", f"Bearer {token}".encode()))
    scope["headers"], scope["subprotocols"] = kept, offers
