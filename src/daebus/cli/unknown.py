"""What the commands say of a service of which nothing is known: a misspelt name is no empty answer."""

from __future__ import annotations

from daebus.core.errors import DaebusError
from daebus.core.messages import dead_letters, listened_channels, service_of, serving_registry
from daebus.core.names import did_you_mean
from daebus.transports.node import Node

__all__ = ["UnknownServiceError", "require_known"]

_PATTERN = "daebus:{*}:*"


class UnknownServiceError(DaebusError):
    """A service has left no trace on the server."""


async def require_known(node: Node, service: str) -> None:
    """Return where a service has ever run on the server, or has dead letters. Raises `UnknownServiceError`."""
    for key in (serving_registry(service), dead_letters(service), listened_channels(service)):
        if await node.link.execute("EXISTS", key):
            return
    seen = {name for key in await node.link.keys(_PATTERN) if (name := _service(key))}
    hint = did_you_mean(service, sorted(seen), f"the server knows {', '.join(sorted(seen)) or 'none'}")
    raise UnknownServiceError(f"No service {service!r} has ever run on this server; {hint}.")


def _service(key: str) -> str:
    return service_of(key.partition("{")[2].partition("}")[0]) if key.startswith("daebus:{") else ""
