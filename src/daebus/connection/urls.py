"""The URLs of servers: their validation, and how to show one without its password."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlencode, urlsplit

from daebus.errors import ConfigurationError
from daebus.mistakes.suggestions import closest, ended

__all__ = ["Target", "bad_url", "parse_target", "unknown_option"]

_SCHEMES = {
    "redis": "single",
    "rediss": "single",
    "unix": "single",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
# The names that other libraries use for them.
_OTHER_NAMES = {
    "sentinel": "redis+sentinel",
    "redis-sentinel": "redis+sentinel",
    "cluster": "redis+cluster",
    "redis-cluster": "redis+cluster",
    "valkey": "redis",
    "valkeys": "rediss",
    "redis+unix": "unix",
    "redis+socket": "unix",
    "tcp": "redis",
}
_PORTS = {"single": 6379, "cluster": 6379, "sentinel": 26379}
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a URL.

    Attributes:
        kind: ``single``, ``sentinel`` or ``cluster``.
        address: The URL without password and options, for messages.
        hosts: The hosts and ports that it names; none for a Unix socket.
        primary: Sentinel's name of the server; empty if there is none.
        plain: The URL of one server, the first of the hosts, in the form of redis-py.
        sentinel: User and password for the Sentinels, by redis-py's names.
    """

    kind: str
    address: str
    hosts: tuple[tuple[str, int], ...]
    primary: str
    plain: str = field(repr=False)
    sentinel: dict[str, str] = field(repr=False)


def parse_target(url: str) -> Target:
    """The target of `url`. Raises `ValueError` for URLs that redis-py would silently misunderstand."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its text would quote a piece of the password
        raise ValueError("has a host or a port that is not valid") from None
    kind = _SCHEMES.get(parts.scheme)
    if kind is None or "://" not in url:
        raise ValueError(_wrong_scheme(parts.scheme))
    if parts.fragment:
        raise ValueError("has a part after '#'")
    try:
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("has an option that is not name=value") from None
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("has no path of a socket (an absolute path makes three slashes)")
        return Target(kind, f"unix://{_user(parts)}{parts.path}", (), "", url, {})
    hosts = tuple(_host(text, _PORTS[kind]) for text in parts.netloc.rpartition("@")[2].split(","))
    if kind == "single" and len(hosts) > 1:
        raise ValueError("names several servers: write redis+sentinel:// or redis+cluster:// for those")
    primary, db = _path(parts, kind)
    return _target(parts, kind, hosts, primary, db)


def _target(parts: SplitResult, kind: str, hosts: tuple[tuple[str, int], ...], primary: str, db: str) -> Target:
    options = parse_qsl(parts.query)
    sentinel = {name.removeprefix("sentinel_"): value for name, value in options if name in _SENTINEL_OPTIONS}
    if sentinel and kind != "sentinel":
        raise ValueError("has options for a Sentinel, which need redis+sentinel://")
    db = dict(options).get("db", db)
    if kind == "cluster" and db != "0":
        raise ValueError(f"names the database {db}, and a cluster has only 0")
    query = urlencode([(name, value) for name, value in options if name not in _SENTINEL_OPTIONS and name != "db"])
    credentials = "".join(parts.netloc.rpartition("@")[:2])
    scheme = parts.scheme.partition("+")[0]
    host, port = hosts[0]
    plain = f"{scheme}://{credentials}{_bracketed(host)}:{port}?{query and query + '&'}db={db}"
    places = ",".join(f"{_bracketed(host)}:{port}" for host, port in hosts)
    path = {"single": f"/{db}", "cluster": "", "sentinel": f"/{primary}/{db}"}[kind]
    return Target(kind, f"{parts.scheme}://{_user(parts)}{places}{path}", hosts, primary, plain, sentinel)


def _wrong_scheme(scheme: str) -> str:
    close = _OTHER_NAMES.get(scheme) or closest(scheme, sorted(_SCHEMES))
    hint = f"; did you mean {close}://?" if close else ""
    return f"does not start with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://{hint}"


def _user(parts: SplitResult) -> str:
    user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
    return f"{user}@" if user and colon else ""


def _host(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        found = parts.port
    except ValueError:
        raise ValueError("has a host or a port that is not valid") from None
    if not parts.hostname:
        raise ValueError("has no host")
    if found == 0:
        raise ValueError("has port 0")
    return unquote(parts.hostname), found or port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _path(parts: SplitResult, kind: str) -> tuple[str, str]:
    """The name of the primary and the number of the database."""
    path, primary = parts.path, ""
    if kind == "sentinel":
        name, _, rest = path.lstrip("/").partition("/")
        if not name:
            raise ValueError("does not name the primary: redis+sentinel://HOST:26379/NAME")
        path, primary = rest, unquote(name)
    if not re.fullmatch(r"/?[0-9]*", path):
        raise ValueError("has a database that is not a number")
    return primary, str(int(path.strip("/") or 0))


def unknown_option(name: str, known: Iterable[str]) -> str:
    """The problem of a URL that has an option with this name."""
    close = closest(name, known)
    return f"has an option that does not exist: {name!r}" + ("" if close is None else f"; did you mean {close!r}?")


def bad_url(url: str, problem: str) -> ConfigurationError:
    """The error for a `url` that has this `problem`, without any part of the password."""
    head, _, options = url.partition("?")
    scheme, separator, rest = head.rpartition("://")
    shown = "***" if "@" in options else re.sub(r".*@", "***@", rest)
    hint = " In a password, write / ? # @ and % percent-encoded." if "@" in url else ""
    found = ended(f"The Redis URL {scheme}{separator}{shown} {problem}")
    return ConfigurationError(
        f"{found} Write redis://:PASSWORD@localhost:6379/0, "
        f"rediss:// for TLS, unix:///run/redis.sock?db=0, redis+sentinel:// or redis+cluster:// (docs/redis.md).{hint}"
    )
