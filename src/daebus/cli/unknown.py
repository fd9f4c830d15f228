"""Errors of the commands for an unknown service or handler: a misspelt name must not look like an empty answer."""

from __future__ import annotations

from daebus.channels.listener_groups import ListenerGroups
from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import DaebusError
from daebus.mistakes.suggestions import did_you_mean, ended
from daebus.operations.dead_letters import DeadLetters
from daebus.protocol.messages import action_stream, dead_letters, listened_channels, service_of, serving_registry

__all__ = ["UnknownHandlerError", "UnknownServiceError", "require_handler", "require_known"]

_PATTERN = "daebus:{*}:*"
_MOST_ACTIONS = 1_000


class UnknownServiceError(DaebusError):
    """A service has left no trace on the server."""


async def require_known(node: Node, service: str) -> None:
    """Return if a service ever ran on the server, or got a message. Raises `UnknownServiceError`."""
    for key in (serving_registry(service), dead_letters(service), listened_channels(service)):
        if await node.link.execute("EXISTS", key):
            return
    seen = {name for key in await node.link.keys(_PATTERN) if (name := _service(key))}
    if service in seen:  # somebody has sent it something
        return
    hint = did_you_mean(service, sorted(seen), f"the server knows {', '.join(sorted(seen)) or 'none'}")
    raise UnknownServiceError(ended(f"No service {service!r} has ever run on this server; {hint}"))


class UnknownHandlerError(DaebusError):
    """A service has no handler with a name, and no dead letter of such a handler."""


async def require_handler(
    letters: DeadLetters, action: str | None, listener: str | None, listeners: set[str], actions: set[str]
) -> None:
    """Return if a service has, or had, the given action and listener.

    Args:
        letters: The dead letters of the service.
        action: The name of the action; None: not given.
        listener: The name of the listener; None: not given.
        listeners: The listeners that have dead letters.
        actions: The actions that have dead letters.

    Raises:
        UnknownHandlerError: There is neither such a handler, nor a dead letter of one.
    """
    node, service = letters.node, letters.service
    if listener is not None and listener not in listeners:
        states = await ListenerGroups(node, service).all()
        _require("listener", service, listener, listeners | {state.listener for state in states})
    if action is not None and action not in actions:
        if await _is_served(node, action_stream(service, action)):
            return
        prefix = action_stream(service, "")
        streams = [key for key in await node.link.keys("daebus:{*}:action:*") if key.startswith(prefix)]
        served = {key.removeprefix(prefix) for key in streams[:_MOST_ACTIONS] if await _is_served(node, key)}
        _require("action", service, action, actions | served)


def _require(kind: str, service: str, name: str, known: set[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, sorted(known), f"it has: {', '.join(sorted(known)) or 'none'}")
        found = f"The service {service!r} has no {kind} {name!r}, and no dead letter of one; {hint}"
        raise UnknownHandlerError(ended(found))


async def _is_served(node: Node, stream: str) -> bool:
    """Whether an instance has ever read the stream of an action."""
    try:
        return bool(await node.link.execute("XINFO", "GROUPS", stream))
    except CommandError:  # there is no such stream
        return False


def _service(key: str) -> str:
    return service_of(key.partition("{")[2].partition("}")[0]) if key.startswith("daebus:{") else ""
