"""The contracts of a service that runs, as one of its instances writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import PurePosixPath

from daebus.connection.find_server import find_server
from daebus.connection.node import open_node
from daebus.discovery.contract_checks import files_by
from daebus.errors import ServiceError, Unavailable
from daebus.telemetry.logs import make_logger

from .targets import TargetError

__all__ = ["SCHEME", "NotAnsweringError", "exported_by"]

SCHEME = "service://"
"""What a source of contracts begins with if it is a service that runs."""


class NotAnsweringError(TargetError):
    """No instance of a service answers."""


def exported_by(service: str, form: str, redis_url: str | None) -> Mapping[str, bytes]:
    """The contracts of a service in a format, by the paths of the files.

    Args:
        service: The name of the service.
        form: The format.
        redis_url: The server; None: that of the environment, or the embedded one of the project.

    Raises:
        NotAnsweringError: No instance of the service answers.
        TargetError: The instance cannot write this format.
        ConfigurationError: No server is named, or its URL is wrong.
        StartupError: The server cannot be reached.
    """

    async def written() -> Mapping[str, bytes]:
        async with find_server(redis_url, make_logger(), start="never") as server, open_node(server) as node:
            return await files_by(node, service, form)

    try:
        files = asyncio.run(written())
    except ServiceError as error:
        kind = NotAnsweringError if isinstance(error, Unavailable) else TargetError
        raise kind(f"The contracts of the running service {service!r} cannot be read: {error.message}.") from error
    for name in files:
        # Whoever may publish on the server could have answered.
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise TargetError(f"An instance of {service!r} has sent a file with the path {name!r}, which is refused.")
    return files
