"""Routing of commands on a cluster: by their key, or to any node; and which channels are sharded."""

from __future__ import annotations

from .resp import Argument

__all__ = ["key_of", "sharded"]

_SHARDED = {"PUBLISH": "SPUBLISH", "SUBSCRIBE": "SSUBSCRIBE", "UNSUBSCRIBE": "SUNSUBSCRIBE"}
# Not every service uses sharded channels; and headers arrive in order with the events of plain channels.
_NOT_SHARDED = ("daebus:reply:old:", "daebus:headers:")


def key_of(command: tuple[Argument, ...]) -> Argument | None:
    """The key that decides to which node a command goes; None: any node."""
    match command:
        case ("EVAL" | "EVALSHA", _, count, *keys):
            return keys[0] if int(count) else None
        case ("XGROUP" | "PUBSUB", _, key, *_):
            return key
        case ("XREADGROUP" | "XREAD", *_):
            return command[command.index("STREAMS") + 1]
        case ("PING" | "TIME" | "CLIENT" | "FLUSHALL", *_):
            return None
        case (_, key, *_):
            return key
        case _:
            return None


def sharded(command: tuple[Argument, ...]) -> tuple[Argument, ...]:
    """The sharded form of a pub/sub command if its channel is one of daebus' own; else the same command."""
    name = _SHARDED.get(str(command[0]))
    if name is None:
        return command
    channel = command[1].decode(errors="replace") if isinstance(command[1], bytes) else str(command[1])
    own = channel.startswith("daebus:") and not channel.startswith(_NOT_SHARDED)
    return (name, *command[1:]) if own else command
