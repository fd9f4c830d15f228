"""Where a command goes on a cluster: by its key, or to any node; and which of its channels are sharded."""

from __future__ import annotations

from .resp import Argument

__all__ = ["key_of", "sharded"]

_SHARDED = {"PUBLISH": "SPUBLISH", "SUBSCRIBE": "SSUBSCRIBE", "UNSUBSCRIBE": "SUNSUBSCRIBE"}
# Not every service knows of sharded channels; and headers come in order with the events of plain channels.
_NOT_SHARDED = ("daebus:reply:old:", "daebus:headers:")


def key_of(command: tuple[Argument, ...]) -> Argument | None:
    """What decides to which node a command goes; None: any will do."""
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
    """The command for a channel of pub/sub that is sharded, where it is one of daebus' own; else the same command."""
    name = _SHARDED.get(str(command[0]))
    if name is None:
        return command
    channel = command[1].decode(errors="replace") if isinstance(command[1], bytes) else str(command[1])
    own = channel.startswith("daebus:") and not channel.startswith(_NOT_SHARDED)
    return (name, *command[1:]) if own else command
