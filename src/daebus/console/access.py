"""Who may use the console, from which pages, and whether they may change anything."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from daebus.asgi.origins import SAFE_METHODS, OriginGuard
from daebus.errors import BadRequest, ConfigurationError, Forbidden, Unauthorized

__all__ = ["COOKIE", "NO_TOKEN", "SAFE_HEADERS", "TOKEN", "Access", "require_loopback"]

TOKEN = "DAEBUS_CONSOLE_TOKEN"  # noqa: S105  # the name of a variable
"""The variable of the environment that has the token, if no other one is given."""

COOKIE = "daebus_console"
"""The name of the cookie that proves that the browser has shown the token."""

SAFE_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""The headers of all responses."""

NO_TOKEN = f"The console has no token, so it is for browsers on its own machine only. Set {TOKEN}."
"""What others are told by a console without a token."""

_SHORTEST_TOKEN = 16
_LOOPBACK = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1", re.IGNORECASE)
_JSON = "application/json"
_BEARER = "bearer "
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

_Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]


def require_loopback(host: str, token: str | None) -> None:
    """Refuse to serve other machines without a token. Raises `ConfigurationError`."""
    if token is None and not _LOOPBACK.fullmatch(host):
        raise ConfigurationError(
            f"On {host} the console is open to other machines, so it needs a token: set DAEBUS_CONSOLE_TOKEN or pass "
            "--token. Without one it is served on 127.0.0.1 only."
        )


class Access:
    """The rules of access.

    Args:
        token: The token that users have to show; None: everyone who reaches the console may use it.
        read_only: Whether nothing may be changed, called or replayed.
        only_here: Whether, without a token, only browsers on this machine may use it, and no proxy.

    Raises:
        ConfigurationError: The token is shorter than 16 characters.
    """

    def __init__(self, token: str | None, *, read_only: bool, only_here: bool = False) -> None:
        if token is not None and len(token) < _SHORTEST_TOKEN:
            raise ConfigurationError(
                f"The token of the console has {len(token)} characters; it needs at least {_SHORTEST_TOKEN}, such as "
                "those of `openssl rand -hex 16`."
            )
        self.read_only: bool = read_only
        self._proof = None if token is None else _proof(token)
        self.only_here: bool = only_here and token is None
        self._origins = OriginGuard((), component="DaebusConsole")

    def prove(self, token: str) -> str | None:
        """The value of the cookie for a token; None: it is not the token of the console."""
        proof = _proof(token)
        return proof if self._proof is not None and hmac.compare_digest(proof, self._proof) else None

    def admits(self, connection: _Connection) -> bool:
        """Whether a request has the cookie, or the token as a bearer."""
        if self._proof is None:
            return not self.only_here or _is_here(connection)
        given = connection.headers.get("authorization", "")
        if given[: len(_BEARER)].lower() == _BEARER:
            return self.prove(given[len(_BEARER) :].strip()) is not None
        shown = connection.cookies.get(COOKIE, "")
        return hmac.compare_digest(shown.encode(), self._proof.encode())

    def require_site(self, connection: _Connection) -> None:
        """Refuse what the page of another site sends. Raises `Forbidden`."""
        refusal = self._origins.refusal(connection.scope["headers"])
        if refusal is not None:
            raise Forbidden("Pages of other sites may not use the console")

    def require(self, connection: _Connection, _: BaseRouteHandler) -> None:
        """The guard of all data and acts, for Litestar.

        Raises:
            Unauthorized: The token is missing or wrong.
            Forbidden: The request is an act, and comes from another site, or the console is read-only.
            BadRequest: It is an act, and not JSON.
        """
        if not self.admits(connection):
            raise Unauthorized(NO_TOKEN if self.only_here else "The console asks for its token")
        scope: Any = connection.scope
        if scope["method"] in SAFE_METHODS:
            return
        self.require_site(connection)
        if self.read_only:
            raise Forbidden("The console is read-only")
        if connection.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise BadRequest(f"Acts are sent as {_JSON}")


def _is_here(connection: _Connection) -> bool:
    """Whether the client is on this machine, and no proxy says that it speaks for another one."""
    client, headers = connection.client, connection.headers
    host = headers.get("host", "").rpartition(":")[0] if ":" in headers.get("host", "") else headers.get("host", "")
    return (
        client is not None
        and _LOOPBACK.fullmatch(client.host) is not None
        and _LOOPBACK.fullmatch(host.strip("[]")) is not None
        and not any(name in headers for name in _FORWARDED)
    )


def _proof(token: str) -> str:
    return hmac.new(token.encode(), b"daebus console", hashlib.sha256).hexdigest()
