"""The sockets of connections to this process, which Granian accepts and keeps to itself: found by their ends."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

__all__ = ["Address", "LooksAlike", "OwnSockets", "address_of", "ends_of", "open_descriptors"]

Address = tuple[str, int]

_LISTS = [path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir()]


_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # compared with, not listened on


class LooksAlike(ConnectionError):
    """A client has, at its end, the address and port of another one that is connected to another address of ours."""


class OwnSockets:
    """Finds the connection of a client, and makes a second descriptor of it.

    A descriptor is duplicated before it is used: then it stays what it is, whatever other threads close meanwhile.

    Attributes:
        known: Descriptors among which none is looked for, as long as they are open.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()

    def find(
        self, client: Address, server: Address, among: Iterable[int] | None = None
    ) -> tuple[socket.socket, int] | None:
        """The connection from `client` to `server`, and Granian's own descriptor; None: it is gone, or not found.

        Args:
            client: Its end.
            server: Where we listen. On all addresses, a client may have the same end of several connections.
            among: The descriptors to look at; default: all, the youngest first.

        Raises:
            LooksAlike: There are several, to different addresses of ours.
            OSError: There are no more descriptors.
        """
        if among is None:
            among = sorted((each for each in open_descriptors() if each not in self.known), reverse=True)
        found: list[tuple[int, Address]] = []
        for descriptor in among:
            ends = ends_of(descriptor, only=client)
            if ends is not None and ends[1][1] == server[1]:
                found.append((descriptor, ends[1]))
                if server[0] not in _WILDCARDS:
                    break
        if not found:
            return None
        if any(ours != found[0][1] for _, ours in found):
            raise LooksAlike("Two connections have the same end at the client, and cannot be told from one another")
        duplicate = _duplicate(found[0][0])
        if duplicate is None:
            return None
        ends = ends_of(duplicate.fileno())
        if ends is not None and ends[:2] == (client, found[0][1]):
            return duplicate, found[0][0]
        duplicate.close()
        return None

    def cut(self, client: Address, server: Address, among: Iterable[int] | None = None) -> bool:
        """End a connection, whatever is yet to be sent; returns whether it was found, and is no other one."""
        with suppress(OSError):
            found = self.find(client, server, among)
            if found is not None:
                with found[0]:
                    found[0].shutdown(socket.SHUT_RDWR)
                return True
        return False


def open_descriptors() -> list[int]:
    """The open descriptors of this process; empty where the system does not tell. Raises `OSError` for too many."""
    return [int(name) for name in os.listdir(_LISTS[0])] if _LISTS else []  # ten times as fast


def address_of(found: object) -> Address | None:
    """Host and port out of ASGI's scope or of a socket; None for what is neither IPv4 nor IPv6."""
    if not isinstance(found, tuple | list):
        return None
    match cast("tuple[object, ...] | list[object]", found)[:2]:
        case [str(host), int() | str() as port] if str(port).isdecimal():
            return host.partition("%")[0], int(port)
        case _:
            return None


def _duplicate(descriptor: int) -> socket.socket | None:
    try:
        number = os.dup(descriptor)
    except OSError as error:
        if error.errno == errno.EBADF:  # it was closed just now
            return None
        raise
    try:
        return socket.socket(fileno=number)
    except OSError:  # and something else was opened
        os.close(number)
        return None


def _nothing(_: socket.socket) -> float:
    return 0.0


def ends_of(
    descriptor: int, measure: Callable[[socket.socket], float] = _nothing, *, only: Address | None = None
) -> tuple[Address, Address, float] | None:
    """The client of a connection, our own end, and what `measure` says of it; None: it is no connection.

    Args:
        descriptor: What is looked at.
        measure: For connections.
        only: The only client that matters; others are None, too.
    """
    try:
        # With all its arguments given, it asks the system for nothing more; there is room for addresses of IPv4, too.
        seen = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, descriptor)
    except OSError:
        return None
    try:
        client = address_of(seen.getpeername())
        if client is None or (only is not None and client != only):
            return None
        ours = address_of(seen.getsockname())
        return None if ours is None else (client, ours, measure(seen))
    except OSError:
        return None
    finally:
        seen.detach()
