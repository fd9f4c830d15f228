"""A minimal exchange with the server of an embedded engine, over its Unix socket, before any client exists."""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

from daebus.errors import StartupError

__all__ = ["ask"]

_SECONDS = 1.0
_UCRED = struct.Struct("3i")  # Linux: pid, uid, gid
_XUCRED = struct.Struct("2I")  # the head of macOS' struct xucred: version, uid
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE = 0, 1, 76


def ask(address: Path | None, command: bytes) -> bytes:
    """The server's reply to a command; empty if no server answers.

    Raises:
        StartupError: The server belongs to another user.
    """
    if address is None:
        return b""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(str(address))
        owner = _peer_uid(connection)
        if owner != os.geteuid():
            raise StartupError(
                f"The server that listens at {address} runs as another user, number {owner}, so it is not used. "
                "Remove that socket, or set DAEBUS_REDIS_URL."
            )
        connection.sendall(command + b"\r\n")
        return connection.recv(64)
    return b""


def _peer_uid(connection: socket.socket) -> int:
    """The user id of the process that called ``listen`` on the other end."""
    if sys.platform == "darwin":
        credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)
        _, uid = cast("tuple[int, int]", _XUCRED.unpack_from(credentials))
        return uid
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, _ = cast("tuple[int, int, int]", _UCRED.unpack(credentials))
    return uid
