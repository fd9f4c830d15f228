"""The sockets of connections to this process, which Granian does not expose: found by their addresses."""

from __future__ import annotations

import errno
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

__all__ = ["Address", "LooksAlike", "OwnSockets", "address_of", "ends_of", "open_descriptors"]

Address = tuple[str, int]

_LISTS = [path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir()]


class LooksAlike(ConnectionError):
    """A client has the same address and port as another client, which is connected to another address of ours."""


class OwnSockets:
    """Finds the connection of a client and duplicates its descriptor.

    A descriptor is duplicated before it is used, so that it stays valid if another thread closes the original.

    Attributes:
        known: Open descriptors that are excluded from the search.
        searches: How often all descriptors were examined. Whoever arrived before a search is in its result.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()
        self.searches: int = 0
        self._ends: defaultdict[Address, list[int]] = defaultdict(list)

    def find(self, client: Address, server: Address, since: int) -> tuple[socket.socket, int] | None:
        """The connection from `client` to `server` and Granian's own descriptor; None: closed or not found.

        All descriptors are examined once for all clients that have arrived by then, as a thousand of them come at once
        when another replica has died.

        Args:
            client: The address of the client.
            server: The address that we listen on. If it means all addresses, a client may use one address and port for
                several connections.
            since: The value of `searches` when the client arrived.

        Raises:
            LooksAlike: There are several connections, to different addresses of ours.
            OSError: There are no more descriptors.
        """
        if self.searches == since:
            self._search()
        return self._take(client, server, [each for each in self._ends.get(client, ()) if each not in self.known])

    def _search(self) -> None:
        self.searches += 1
        self._ends.clear()
        for descriptor in self.unknown():
            ends = ends_of(descriptor)
            if ends is not None:
                self._ends[ends[0]].append(descriptor)

    def unknown(self) -> list[int]:
        """The open descriptors that are not excluded from the search. Raises `OSError` for too many."""
        return [each for each in open_descriptors() if each not in self.known]

    def _take(self, client: Address, server: Address, among: Iterable[int]) -> tuple[socket.socket, int] | None:
        every = ((descriptor, ends_of(descriptor, only=client)) for descriptor in among)
        found = [(descriptor, ends[1]) for descriptor, ends in every if ends is not None and ends[1][1] == server[1]]
        if not found:
            return None
        if any(ours != found[0][1] for _, ours in found):
            raise LooksAlike("Two connections have the same client address and port, and cannot be distinguished")
        duplicate = _duplicate(found[0][0])
        if duplicate is None:
            return None
        ends = ends_of(duplicate.fileno())
        if ends is not None and ends[:2] == (client, found[0][1]):
            return duplicate, found[0][0]
        duplicate.close()
        return None

    def cut(self, client: Address, server: Address, among: Iterable[int] | None = None) -> bool:
        """End a connection without sending the rest; returns whether it was found and is unambiguous.

        Args:
            client: The address of the client.
            server: The address that we listen on.
            among: The descriptors to examine; default: all that are open.
        """
        with suppress(OSError):
            found = self._take(client, server, self.unknown() if among is None else among)
            if found is not None:
                with found[0]:
                    found[0].shutdown(socket.SHUT_RDWR)
                return True
        return False


def open_descriptors() -> list[int]:
    """The open descriptors of this process; empty if the system does not list them. Raises `OSError` for too many."""
    return [int(name) for name in os.listdir(_LISTS[0])] if _LISTS else []  # ten times as fast


def address_of(found: object) -> Address | None:
    """Host and port from an ASGI scope or a socket; None if it is neither IPv4 nor IPv6."""
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
    """The client of a connection, our own address, and the result of `measure`; None: it is not a connection.

    Args:
        descriptor: The descriptor to examine.
        measure: Called for connections.
        only: The only client to consider; the result is None for others.
    """
    try:
        # With all arguments given, it makes no further system calls; an IPv4 address also fits.
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
