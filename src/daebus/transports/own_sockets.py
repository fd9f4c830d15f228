"""The sockets of connections to this process, which Granian accepts and keeps to itself: found by their ends."""

from __future__ import annotations

import os
import socket
from pathlib import Path

__all__ = ["Address", "OwnSockets", "address_of", "open_descriptors"]

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

    def find(self, client: Address, server: Address) -> tuple[socket.socket, int] | None:
        """The connection from `client` to `server`, and Granian's own descriptor; None: it is gone, or not to be found.

        Raises `OSError` where there are no more descriptors.
        """
        for descriptor in sorted(open_descriptors(), reverse=True):  # it is young, most often
            if descriptor not in self.known and _peer(descriptor) == client:
                duplicate = socket.socket(fileno=os.dup(descriptor))
                if _is_from(duplicate, client, server):
                    return duplicate, descriptor
                duplicate.close()
        return None


def open_descriptors() -> list[int]:
    """The open descriptors of this process; empty where the system does not tell. Raises `OSError` for too many."""
    return [int(name) for name in os.listdir(_LISTS[0])] if _LISTS else []  # ten times as fast


def address_of(found: object) -> Address | None:
    """Host and port out of ASGI's scope or of a socket; None for what is neither IPv4 nor IPv6."""
    match found:
        case [str(host), int() | str() as port, *_] if str(port).isdecimal():
            return host.partition("%")[0], int(port)
        case _:
            return None


def _peer(descriptor: int) -> Address | None:
    try:
        # With all its arguments given, it asks the system for nothing more; there is room for addresses of IPv4, too.
        seen = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 0, descriptor)
    except OSError:
        return None
    try:
        return address_of(seen.getpeername())
    except OSError:
        return None
    finally:
        seen.detach()


def _is_from(connection: socket.socket, client: Address, server: Address) -> bool:
    try:
        ends = address_of(connection.getpeername()), address_of(connection.getsockname())
    except OSError:
        return False
    return ends == (client, server)
