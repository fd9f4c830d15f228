"""Listening on a TCP port so that the operating system detects clients that are gone or do not read."""

from __future__ import annotations

import errno
import socket
import sys

from daebus.errors import StartupError

__all__ = ["BACKLOG", "at", "listen", "reserve_port"]

BACKLOG = 2048
"""Connections that wait to be accepted."""

_PROBE_AFTER, _PROBE_EVERY, _PROBES = 20, 5, 4  # seconds of silence, seconds, count; then a peer counts as gone
_MOST_UNSENT = 131_072  # bytes of an answer that the system buffers when the client has no room


def listen(host: str, port: int, *, share: bool, write_timeout: float) -> socket.socket:
    """Listen on a port.

    Args:
        host: Name or address to listen on.
        port: TCP port; 0: any free one.
        share: Whether several processes listen on it.
        write_timeout: Seconds within which a client must read some of the data sent to it.

    Raises:
        StartupError: The port is taken, or the host or the port cannot be listened on.
    """
    bound = _bind(host, port, share=share, backlog=None)
    _watch(bound, write_timeout)
    bound.listen(BACKLOG)
    return bound


def reserve_port(host: str, port: int) -> socket.socket:
    """Check that a port is free, and reserve it for our processes that share it, until the socket is closed.

    Args:
        host: Name or address to listen on.
        port: TCP port; 0: any free one, see ``getsockname()``.

    Raises:
        StartupError: The port is taken, or the host or the port cannot be listened on.
    """
    with _bind(host, port, share=False, backlog=1) as exclusive:
        free: int = exclusive.getsockname()[1]
    return _bind(host, free, share=True, backlog=None)


def _bind(host: str, port: int, *, share: bool, backlog: int | None) -> socket.socket:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise StartupError(
            f"Cannot listen on {at(host, port)}: the host is not known. Use 0.0.0.0 for all addresses of this machine."
        ) from error
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] is not socket.AF_INET)
    bound = socket.socket(family, kind, protocol)
    try:
        # Old connections in TIME_WAIT do not matter; a listening socket does.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        if backlog is not None:
            bound.listen(backlog)
        bound.setblocking(False)  # noqa: FBT003  # the standard library's signature
    except OSError as error:
        bound.close()
        raise StartupError(f"Cannot listen on {at(host, port)}: {_reason(error, host)}") from error
    return bound


def at(host: str, port: int) -> str:
    """An address, for messages."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: OSError, host: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another process has the port. Stop it, or choose another port."
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine. Use 0.0.0.0 for all addresses that it has."
        case errno.EACCES:
            return "ports below 1024 need privileges that this process does not have. Choose a higher port."
        case _:
            return f"{error.strerror}."


def _watch(listening: socket.socket, write_timeout: float) -> None:
    """Let the system detect clients that are dead or do not read. Each accepted connection inherits these options."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        for option, value in (
            (socket.TCP_KEEPIDLE, _PROBE_AFTER),
            (socket.TCP_KEEPINTVL, _PROBE_EVERY),
            (socket.TCP_KEEPCNT, _PROBES),
            # Also while the client is alive and reports no room. Later than the sender of a large answer, which can
            # log the reason.
            (socket.TCP_USER_TIMEOUT, max(1, round(write_timeout * 1250))),
            (socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT),
        ):
            listening.setsockopt(socket.IPPROTO_TCP, option, value)
