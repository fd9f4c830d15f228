"""The URLs of servers: what is wrong with one, and how to show it without its password."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

from daebus.core.errors import ConfigurationError

__all__ = ["bad_url", "url_address", "url_parts"]


def url_parts(url: str) -> SplitResult:
    """`url` taken apart. Raises `ValueError` for what redis-py would take for something else without a word."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its text would quote a piece of the password
        raise ValueError("has a host or a port that is not valid") from None
    if parts.scheme not in {"redis", "rediss", "unix"} or "://" not in url:
        raise ValueError("does not start with redis://, rediss:// or unix://")
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("has no path of a socket (an absolute path makes three slashes)")
    if port == 0:
        raise ValueError("has port 0")
    if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]*", parts.path):
        raise ValueError("has a database that is not a number")
    if parts.fragment:
        raise ValueError("has a part after '#'")
    try:
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("has an option that is not name=value") from None
    return parts


def url_address(parts: SplitResult) -> str:
    """The URL without its password and options, for messages."""
    user = f"{parts.username}@" if parts.username and parts.password else ""
    db = parse_qs(parts.query).get("db", [parts.path.strip("/") or "0"])[0]
    if parts.scheme == "unix":
        return f"unix://{user}{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "localhost"
    return f"{parts.scheme}://{user}{host}:{parts.port or 6379}/{db}"


def bad_url(url: str, problem: str) -> ConfigurationError:
    """The error for a `url` that has this `problem`, with no word of the password."""
    head, _, options = url.partition("?")
    scheme, separator, rest = head.rpartition("://")
    shown = "***" if "@" in options else re.sub(r".*@", "***@", rest)
    hint = " In a password, write / ? # @ and % percent-encoded." if "@" in url else ""
    return ConfigurationError(
        f"The Redis URL {scheme}{separator}{shown} {problem}. Write redis://:PASSWORD@localhost:6379/0, "
        f"rediss:// for TLS, or unix:///run/redis.sock?db=0.{hint}"
    )
