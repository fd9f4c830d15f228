"""The protocol of a connection to the server: commands, replies, refusals. The only module that imports hiredis."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, cast

import hiredis

from daebus.errors import DaebusError

from .outages import ServerUnavailable

__all__ = [
    "INCOMPLETE",
    "Argument",
    "CommandError",
    "Displaced",
    "Reply",
    "is_busy_group",
    "is_missing_group",
    "is_missing_script",
    "pack",
    "reply_reader",
]

Argument: TypeAlias = bytes | str | int | float
"""A part of a command."""

Reply: TypeAlias = "bytes | int | list[Reply] | Exception | None"
"""A reply of the server (RESP2). An exception occurs only inside a list: one failed command of an EXEC."""

INCOMPLETE: Reply = Exception("more bytes are needed")
"""The result of `ReplyReader.gets` when no whole reply is left."""

_TRANSIENT = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "TRYAGAIN", "UNBLOCKED"}
)
_DISPLACED = frozenset({"ASK", "MOVED", "READONLY"})
_DENIED_COMMAND = re.compile(r"permissions to run the '([^']+)' command")
_DENIED_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")


class CommandError(DaebusError):
    """The server refused a command.

    Attributes:
        code: The first word of the server's answer, such as ``NOGROUP``.
    """

    def __init__(self, message: str) -> None:
        self.code: str = message.partition(" ")[0]
        super().__init__(message)

    def explained(self, command: Sequence[Argument]) -> CommandError:
        """This error, with advice if the user lacks a permission that `command` needs."""
        text = str(self)
        in_script = any(sign in text for sign in _DENIED_IN_SCRIPT)
        if self.code != "NOPERM" and not in_script:
            return self
        if text.startswith("The server refused"):
            return self
        words = [word.decode(errors="replace") if isinstance(word, bytes) else str(word) for word in command]
        error = CommandError(f"The server refused {_shown(words)}: {text}. {_remedy(text, words)}")
        error.code = "NOPERM"
        return error


class Displaced(ServerUnavailable):
    """The command belongs to another server than the one that was asked: that one is a replica, or another shard.

    Attributes:
        asked: Whether the command is to be sent to the other server this time only.
        target: ``host:port`` of the right server; None: unknown.
    """

    def __init__(self, reason: str, answer: str) -> None:
        super().__init__(reason)
        kind, *where = answer.split()
        self.asked: bool = kind == "ASK"
        self.target: str | None = where[1] if kind in {"ASK", "MOVED"} and len(where) > 1 else None


def _shown(words: Sequence[str]) -> str:
    """The part of a command that shows what is refused: its name, and its key or channel."""
    if words[0] in {"EVAL", "EVALSHA"}:
        return f"a script on {' '.join(words[3 : 3 + int(words[2])])}"
    if words[0] == "XREADGROUP":
        return f"XREADGROUP of {' '.join(words[words.index('STREAMS') + 1 :]).rstrip('> ')}"
    if words[0] in {"CLIENT", "XGROUP"}:
        return " ".join(words[:3])
    return " ".join(words[:2]).rstrip()


def _remedy(text: str, words: Sequence[str]) -> str:
    denied = _DENIED_COMMAND.search(text)
    if denied:
        rule = f"+{denied[1]}"
    elif "script" in text:
        return "Give the user the commands that docs/redis.md lists."
    elif "channel" in text:
        rule = "&daebus:*" if words[1].startswith("daebus:") else f"&{words[1]}"
    else:
        rule = "~daebus:*"
    return f"Allow it: ACL SETUSER <user> {rule} (docs/redis.md has all the rights that daebus needs)."


def is_missing_group(error: CommandError) -> bool:
    """The stream or its consumer group is not there."""
    return error.code == "NOGROUP"


def is_busy_group(error: CommandError) -> bool:
    """The consumer group to be created already exists."""
    return error.code == "BUSYGROUP"


def is_missing_script(error: CommandError) -> bool:
    """The server does not know the script of an EVALSHA."""
    return error.code == "NOSCRIPT"


class ReplyReader(Protocol):
    """Turns bytes into replies. An error reply is a value: a `CommandError`, or `Unavailable` if it is temporary."""

    def feed(self, data: bytes, /) -> None:
        """Add bytes from the server."""

    def gets(self) -> Reply:
        """The next whole reply, or `INCOMPLETE`. Raises `Unavailable` if the bytes are not Redis protocol."""


def reply_reader(address: str, on_displaced: Callable[[Displaced], None]) -> ReplyReader:
    """A reader for the replies of the server at `address`; `on_displaced` is called for each error of that kind."""

    def refused(message: str) -> Exception:
        code = message.partition(" ")[0]
        if code in _TRANSIENT:
            return ServerUnavailable(f"The server at {address} cannot serve now: {message}")
        if code in _DISPLACED:
            error = Displaced(f"The server at {address} rejected the command: {message}", message)
            on_displaced(error)
            return error
        return CommandError(message)

    def garbled(message: str) -> Exception:
        return ServerUnavailable(f"The server at {address} sent something that is not the Redis protocol: {message}")

    return hiredis.Reader(protocolError=garbled, replyError=refused, notEnoughData=INCOMPLETE)


_Pack = Callable[[tuple[Argument, ...]], bytes]

# Its stub takes a tuple of one argument and gives nothing back.
pack: _Pack = cast("_Pack", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]
"""The bytes of one command. Raises `TypeError` for a value that is no `Argument`, such as a bool or an enum."""
