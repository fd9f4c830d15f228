"""Which pages and which host names may reach a service: checks of ``Origin``, ``Sec-Fetch-Site`` and ``Host``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from daebus.errors import BadRequest, ConfigurationError, Forbidden, ServiceError
from daebus.telemetry.logs import Logger
from daebus.telemetry.tallies import Tally

__all__ = ["SAFE_METHODS", "Headers", "HostGuard", "OriginGuard", "Refusal", "RefusalLog", "read_hosts", "read_origins"]

Headers = Iterable[tuple[bytes, bytes]]

_ANY = "*"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_LOOPBACK = re.compile(r"localhost|[^/]+\.localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]", re.IGNORECASE)
_LOOPBACK_ADDRESS = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1", re.IGNORECASE)
_WELL_FORMED = re.compile(rb"[\w!$&'()*+,;=\-.~:\[\]@%]*")  # the characters that a host may have in a URL
_LONGEST_SHOWN = 200
_MOST_KNOWN = 64


class Refusal(NamedTuple):
    """Why a request is refused.

    Attributes:
        error: The error that is sent to the client.
        asked: The origin or host of the request.
        remedy: The code that would allow it; only for the log.
    """

    error: ServiceError
    asked: str
    remedy: str


class RefusalLog:
    """Logs refused requests: for each origin or host the 1st, 2nd, 4th, … and one each minute.

    Args:
        logger: The log.
    """

    __slots__ = ("_logger", "_tallies")

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._tallies: dict[str, Tally] = {}

    def add(self, refusal: Refusal, *, path: str, request_id: str) -> None:
        """Add a refusal."""
        asked = refusal.asked if refusal.asked in self._tallies or len(self._tallies) < _MOST_KNOWN else ""
        tally = self._tallies.setdefault(asked, Tally(reminds=True))
        if tally.add():
            self._logger.warning(
                "request refused",
                reason=refusal.error.message,
                allowed_by=refusal.remedy,
                path=path,
                request_id=request_id,
                times=tally.count,
            )


class OriginGuard:
    """The check that a request does not come from a page of another site (CSRF).

    A browser sends requests on behalf of any page that is open in it, with the user's cookies and from inside the
    user's network. It declares this in ``Sec-Fetch-Site`` and ``Origin``. Clients that are not browsers send neither
    header and are allowed. The rules are those of Go's ``http.CrossOriginProtection``.

    Args:
        origins: The origins of other sites whose pages may send requests; ``*``: all sites.
        allows: Whether an origin is allowed for another reason, such as a CORS configuration that names it.
        component: The component that has the argument ``origins``, such as ``DaebusHttp``.
    """

    __slots__ = ("_allows", "_any", "_component", "_origins")

    def __init__(
        self, origins: Collection[str], *, component: str, allows: Callable[[str], bool] | None = None
    ) -> None:
        self._any = _ANY in origins
        self._origins = frozenset(origins)
        self._allows = allows
        self._component = component

    def refusal(self, headers: Headers) -> Refusal | None:
        """Why a request that may change something, or opens a WebSocket, is refused; None: it is allowed."""
        site, origin, host = b"", None, b""
        for name, value in headers:
            if name == b"origin":
                origin = value
            elif name == b"host":
                host = value
            elif name == b"sec-fetch-site":
                site = value
        if self._any or site in (b"same-origin", b"none") or (not site and origin is None):
            return None
        asking = "" if origin is None else origin.decode("latin-1")
        if (not site and _is_same(asking, host.decode("latin-1"))) or self._trusts(asking):
            return None
        shown = asking[:_LONGEST_SHOWN]
        allowing = f"{self._component}(origins=[{shown or 'https://...'!r}])"
        return Refusal(
            Forbidden(f"Pages of {shown or 'other sites'} may not send requests to this service"), shown, allowing
        )

    def _trusts(self, origin: str) -> bool:
        return origin in self._origins or (self._allows is not None and bool(origin) and self._allows(origin))


class HostGuard:
    """The check that a request is for a host name of the service, against DNS rebinding.

    Args:
        hosts: The names, such as ``api.example.com`` or ``*.example.com``; None: every name, until `listens_on`.

    Attributes:
        known: A cache of header values that are allowed.
    """

    __slots__ = ("_fixed", "_patterns", "known")

    def __init__(self, hosts: Sequence[str] | None) -> None:
        self._fixed = hosts is not None
        self._patterns: re.Pattern[str] | None = None if hosts is None or _ANY in hosts else _pattern(hosts)
        self.known: set[bytes] = set()

    def listens_on(self, address: str) -> None:
        """Allow only the names of this machine if the address is a loopback address and no names are given."""
        if not self._fixed and _LOOPBACK_ADDRESS.fullmatch(address):
            self._patterns = _LOOPBACK
            self.known.clear()

    def refusal(self, headers: Headers) -> Refusal | None:
        """Why a request is refused; None: it is allowed."""
        for name, value in headers:
            if name == b"host":
                return None if value in self.known else self.examine(value)
        return None

    def examine(self, value: bytes) -> Refusal | None:
        """Why a request with this value of the header ``Host`` is refused; None: it is allowed."""
        host = _without_port(value.decode("latin-1"))
        shown = host[:_LONGEST_SHOWN]
        if not _WELL_FORMED.fullmatch(value):
            return Refusal(BadRequest("Invalid host header"), shown, "nothing: it is not a host name")
        if self._patterns is None or self._patterns.fullmatch(host):
            if len(self.known) < _MOST_KNOWN:
                self.known.add(value)
            return None
        error = BadRequest(f"The service does not accept requests for the host name {shown!r}")
        return Refusal(error, shown, f"DaebusHttp(allowed_hosts=[{shown!r}])")


def read_origins(component: str, origins: Sequence[str]) -> frozenset[str]:
    """The checked origins of a component. Raises `ConfigurationError` if one is not an origin."""
    _refuse_text(component, "origins", origins)
    for origin in origins:
        parts = urlsplit(origin)
        named = parts.scheme and parts.netloc and _ANY not in origin
        if origin not in (_ANY, "null") and (not named or origin != _origin_of(origin)):
            raise ConfigurationError(
                f"{component}(origins=[{origin!r}]): an origin is a scheme, a host in lower case and, where it is not "
                "the scheme's own, a port, as in 'https://shop.example.com' or 'http://localhost:5173'."
            )
    return frozenset(origins)


def read_hosts(component: str, hosts: Sequence[str] | None) -> tuple[str, ...] | None:
    """The checked host names of a component. Raises `ConfigurationError` if one is not a host name."""
    if hosts is None:
        return None
    _refuse_text(component, "allowed_hosts", hosts)
    for host in hosts:
        if host != _ANY and (not host or _ANY in host[1:] or (host[0] == _ANY and host[1] != ".") or "/" in host):
            raise ConfigurationError(
                f"{component}(allowed_hosts=[{host!r}]): a host is a name without scheme and port, as in "
                "'api.example.com', '*.example.com' for all below it, or '*' for any."
            )
    return tuple(hosts)


def _refuse_text(component: str, name: str, given: object) -> None:
    if isinstance(given, str) or not isinstance(given, Collection):
        raise ConfigurationError(f"{component}({name}={given!r}): give a list, as in {name}=[{str(given)!r}].")


def _origin_of(text: str) -> str:
    parts = urlsplit(text)
    host = parts.netloc.lower()
    default = _PORTS.get(parts.scheme)
    return f"{parts.scheme}://{host.removesuffix(f':{default}')}"


def _is_same(origin: str, host: str) -> bool:
    """Whether an origin has the request's host. The scheme is unknown behind a proxy that terminates TLS."""
    parts = urlsplit(origin)
    own_port = f":{_PORTS.get(parts.scheme)}"
    return bool(parts.netloc) and parts.netloc.lower() == host.lower().removesuffix(own_port)


def _without_port(host: str) -> str:
    return host if host.endswith("]") else re.sub(r":\d*$", "", host)


def _pattern(hosts: Sequence[str]) -> re.Pattern[str]:
    names = [re.escape(host) if host[0] != _ANY else r"[^/]+" + re.escape(host[1:]) for host in hosts]
    return re.compile("|".join(names), re.IGNORECASE)
