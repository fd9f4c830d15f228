"""`SecurityScheme`: where the credentials of users are in a message, for the documents and for answers with 401."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, cast

import msgspec

from daebus.errors import ConfigurationError

__all__ = ["BEARER", "SecurityScheme", "challenges", "document_of", "key_of", "read_schemes"]

# A name of a cookie or a header, as HTTP allows it.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class SecurityScheme(msgspec.Struct, frozen=True):
    """Where the credentials of users are in a message: ``SecurityScheme.cookie("session")``."""

    kind: Literal["bearer", "basic", "cookie", "header"]
    """The kind of credentials."""
    name: str = ""
    """The name of the cookie or of the header."""
    format: str = ""
    """The format of the token, such as ``JWT``; empty: it is not said."""

    @staticmethod
    def bearer(format: str = "") -> SecurityScheme:  # noqa: A002  # the word of OpenAPI
        """A token in the header ``Authorization: Bearer``, or what a WebSocket client sends instead of the header.

        Args:
            format: The format of the token for those who read the documents, such as ``JWT``.
        """
        return SecurityScheme("bearer", format=format)

    @staticmethod
    def basic() -> SecurityScheme:
        """A name and a password in the header ``Authorization: Basic``. A browser asks its user for them."""
        return SecurityScheme("basic")

    @staticmethod
    def cookie(name: str) -> SecurityScheme:
        """A cookie, such as the id of a session.

        Args:
            name: The name of the cookie.

        Raises:
            ConfigurationError: HTTP does not allow this name.
        """
        return SecurityScheme("cookie", _checked("cookie", name))

    @staticmethod
    def header(name: str) -> SecurityScheme:
        """Another header, such as an API key.

        Args:
            name: The name of the header.

        Raises:
            ConfigurationError: HTTP does not allow this name.
        """
        return SecurityScheme("header", _checked("header", name))


def key_of(scheme: SecurityScheme) -> str:
    """The name of a scheme in documents."""
    return f"{scheme.name}_{scheme.kind}" if scheme.name else scheme.kind


def document_of(scheme: SecurityScheme, key_type: str) -> dict[str, str]:
    """A scheme as documents have it.

    Args:
        scheme: The scheme.
        key_type: The type for a cookie or a header: ``apiKey`` in OpenAPI, ``httpApiKey`` in AsyncAPI.
    """
    if scheme.name:
        return {"type": key_type, "in": scheme.kind, "name": scheme.name}
    return {"type": "http", "scheme": scheme.kind, **({"bearerFormat": scheme.format} if scheme.format else {})}


BEARER = SecurityScheme.bearer()
"""The scheme of an identity that names none."""

_CHALLENGES = {"bearer": "Bearer", "basic": 'Basic realm="users", charset="UTF-8"'}


def challenges(schemes: Iterable[SecurityScheme]) -> str | None:
    """The header ``WWW-Authenticate`` of an answer with 401; None: HTTP has none for cookies and other headers."""
    return ", ".join(dict.fromkeys(_CHALLENGES[one.kind] for one in schemes if one.kind in _CHALLENGES)) or None


def read_schemes(given: object) -> tuple[SecurityScheme, ...]:
    """The schemes that were passed to an identity. Raises `ConfigurationError`."""
    listed = cast("Sequence[object]", given) if isinstance(given, list | tuple) else [given]
    found = tuple(one for one in listed if isinstance(one, SecurityScheme))
    if len(found) < len(listed):
        raise ConfigurationError(
            f"Identity(schemes={given!r}) is no SecurityScheme: write schemes=SecurityScheme.cookie('session')"
        )
    return found


def _checked(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"SecurityScheme.{what}({name!r}): HTTP does not allow this name of a {what}")
    return name
