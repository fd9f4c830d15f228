"""The sockets of connections to this process, which Granian accepts and keeps to itself: found by their ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

__all__ = ["Address", "OwnSockets", "address_of", "ends_of", "open_descriptors"]

Address = tuple[str, int]

_LISTS = [path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir()]


class OwnSockets:
    """Finds the connection of a client, and makes a second descriptor of it.

    A descriptor is duplicated before it is used: then it stays what it is, whatever other threads close meanwhile.

    Attributes:
        known: Descriptors among which none is looked for, as long as they are open.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()

    def find(self, client: Address, port: int, among: Iterable[int] | None = None) -> tuple[socket.socket, int] | None:
        """The connection from `client` to our `port`, and Granian's own descriptor; None: it is gone, or not found.

        Args:
            client: Its end.
            port: Ours.
            among: The descriptors to look at; default: all, the youngest first.

        Raises:
            OSError: There are no more descriptors.
        """
        if among is None:
            among = sorted((each for each in open_descriptors() if each not in self.known), reverse=True)
        for descriptor in among:
            ends = ends_of(descriptor)
            if ends is not None and ends[0] == client:
                duplicate = socket.socket(fileno=os.dup(descriptor))
                ends = ends_of(duplicate.fileno())
                if ends is not None and ends[:2] == (client, port):
                    return duplicate, descriptor
                duplicate.close()
        return None

    def cut(self, client: Address, port: int, among: Iterable[int] | None = None) -> bool:
        """End a connection, whatever is yet to be sent; returns whether it was found."""
        with suppress(OSError):
            found = self.find(client, port, among)
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


def _nothing(_: socket.socket) -> float:
    return 0.0


def ends_of(descriptor: int, measure: Callable[[socket.socket], float] = _nothing) -> tuple[Address, int, float] | None:
    """The client of a connection, our port, and what `measure` says of it; None: it is no connection."""
    try:
        # With all its arguments given, it asks the system for nothing more; there is room for addresses of IPv4, too.
        seen = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, descriptor)
    except OSError:
        return None
    try:
        client, ours = address_of(seen.getpeername()), address_of(seen.getsockname())
        return None if client is None or ours is None else (client, ours[1], measure(seen))
    except OSError:
        return None
    finally:
        seen.detach()
