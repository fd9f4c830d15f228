"""The addresses on which a service listens: for HTTP, WebSockets, and probes of its health."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TypeAlias

import msgspec

from daebus.app.assembly import Assembly
from daebus.asgi.settings import DaebusHttp
from daebus.errors import ConfigurationError
from daebus.server.ports import reserve_port

__all__ = ["AS_CONFIGURED", "Address", "Listening", "addresses_of", "health_address", "reserve"]

_HOST_VARIABLE, _HEALTH_VARIABLE = "DAEBUS_HOST", "DAEBUS_HEALTH_PORT"

Address: TypeAlias = tuple[str, int]


class Listening(msgspec.Struct, frozen=True):
    """Where a service listens, if its components should not decide.

    Attributes:
        host: The address to listen on; None: DAEBUS_HOST from the environment, else the one of its components.
        port: The TCP port for HTTP; None: the one of its components; 0: any free port, also for WebSockets on a port of
            their own.
        health_port: The TCP port for ``/health/live`` and ``/health/ready``; None: DAEBUS_HEALTH_PORT, else they are
            served on the port for HTTP, if there is one; 0: any free port.
        share_port: Whether other processes listen on the same ports.
    """

    host: str | None = None
    port: int | None = None
    health_port: int | None = None
    share_port: bool = False


AS_CONFIGURED = Listening()
"""As the components and the environment say."""


def addresses_of(made: Assembly, given: Listening) -> dict[str, Address]:
    """The addresses of an app: for HTTP, and for WebSockets if they have a port of their own."""
    addresses: dict[str, Address] = {}
    host, port = given.host or os.environ.get(_HOST_VARIABLE), given.port
    if made.http is not None:
        addresses["http"] = (host or made.http.host, made.http.port if port is None else port)
    if made.websocket is not None and made.websocket.port is not None:
        free = port == 0 or (made.http is None and port is not None)
        addresses["websocket"] = (
            host or made.websocket.host,
            port if free and port is not None else made.websocket.port,
        )
    return addresses


def health_address(made: Assembly, given: Listening) -> Address | None:
    """The address for probes; None: they have no port of their own.

    Raises:
        ConfigurationError: DAEBUS_HEALTH_PORT is no port.
    """
    port = given.health_port
    if port is None:
        text = os.environ.get(_HEALTH_VARIABLE)
        if not text:
            return None
        if not text.isdecimal() or int(text) > 65535:
            raise ConfigurationError(f"{_HEALTH_VARIABLE} is {text!r}: write a number from 1 to 65535.")
        port = int(text)
    return given.host or os.environ.get(_HOST_VARIABLE) or (made.http or DaebusHttp()).host, port


def reserve(stack: ExitStack, addresses: Mapping[str, Address]) -> dict[str, Address]:
    """Reserve the ports until the end of the stack; returns the addresses with the real ports.

    Raises:
        StartupError: A port is taken, or cannot be listened on.
    """
    reserved: dict[str, Address] = {}
    for name, (host, port) in addresses.items():
        held: socket.socket = stack.enter_context(reserve_port(host, port))
        reserved[name] = host, held.getsockname()[1]
    return reserved
