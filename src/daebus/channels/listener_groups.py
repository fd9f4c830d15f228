"""The current and former listeners of a service, and the events that wait for each: for operators."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.connection.scripts import Script
from daebus.errors import DaebusError
from daebus.mistakes.suggestions import did_you_mean
from daebus.protocol.messages import (
    channel_listeners,
    channel_listening,
    channel_stream,
    delayed_entries,
    instance_registry,
    listened_channels,
    listener_stream,
)
from daebus.queues.due_retries import RETRY_OF

from .listener_beats import LISTENING_MS

__all__ = ["ListenerError", "ListenerGroups", "ListenerState"]

State: TypeAlias = Literal["live", "orphaned", "stopped"]

# The retries of one listener: the due ones, and those that wait for their time.
_AGAIN = Script(
    RETRY_OF
    + """
    local count = redis.call('XLEN', KEYS[1])
    for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
        if retry_of(KEYS[1], member) then count = count + 1 end
    end
    return count
    """
)
_Entry = tuple[bytes, list[bytes] | None]


class ListenerError(DaebusError):
    """A listener does not exist, or is active and must not be changed."""


class ListenerState(msgspec.Struct, frozen=True):
    """A listener of a durable channel, and the events that wait for it.

    Attributes:
        channel: The channel.
        listener: Its name; after a rename, the one that a live program has declared last.
        group: Its consumer group.
        state: ``live``: an instance has it; ``orphaned``: the service runs, and no instance has it; ``stopped``: the
            service does not run.
        instances: How many instances have it.
        waiting: How many events were not delivered to it yet; None: the server cannot tell.
        pending: How many events were delivered to it, and are not settled.
        retrying: How many events it failed on and will get again; None: they were not counted.
        oldest: When its oldest unsettled event was published, in ms of the server's clock; None: no such event is kept,
            or it was not looked up.
    """

    channel: str
    listener: str
    group: str
    state: State
    instances: int
    waiting: int | None
    pending: int
    retrying: int | None
    oldest: int | None

    def title(self, name: str) -> str:
        """The name that was asked for, and the listener's own name if that differs."""
        return repr(name) if name == self.listener else f"{name!r} (now called {self.listener!r})"


class ListenerGroups:
    """The consumer groups of a service on durable channels.

    Args:
        node: This process.
        service: The service's name.
    """

    def __init__(self, node: Node, service: str) -> None:
        self._node = node
        self._service = service

    async def all(self, *, retrying: bool = True) -> list[ListenerState]:
        """The current and former listeners of the service, by channel and name.

        Args:
            retrying: Whether to count retries, which means to scan all of them, and to look up the oldest events of
                listeners that an instance has.
        """
        link = self._node.link
        channels = cast("list[bytes]", await link.execute("ZRANGE", listened_channels(self._service), 0, -1))
        served = await self.is_served()
        found = [await self._of(channel.decode(), served=served, retrying=retrying) for channel in channels]
        some_live = served or any(state.instances for states in found for state in states)
        return [
            state if state.instances or not some_live else msgspec.structs.replace(state, state="orphaned")
            for states in found
            for state in states
        ]

    async def is_served(self) -> bool:
        """Whether an instance of the service runs."""
        now = self._node.clock.now()
        return await self._node.link.execute("ZCOUNT", instance_registry(self._service), now, "+inf") != 0

    async def find(self, channel: str, name: str) -> ListenerState:
        """The listener with this current or former name. Raises `ListenerError` if there is none."""
        states = [state for state in await self.all() if state.channel == channel]
        group = await self.group(channel, name)
        for state in states:
            if state.group == group:
                return state
        hint = did_you_mean(name, [state.listener for state in states], f"`daebus listeners list {self._service}`")
        raise ListenerError(f"The service {self._service!r} has no listener {name!r} of {channel!r}; {hint}")

    async def require(self, channel: str, name: str) -> str:
        """The consumer group of a listener that an instance has, or may have once the service runs.

        Raises:
            ListenerError: The listener has no group, or the service runs without it: its events would not be handled.
        """
        group = await self.group(channel, name)
        try:
            groups = cast(
                "list[list[bytes]]", await self._node.link.execute("XINFO", "GROUPS", channel_stream(channel))
            )
        except CommandError:  # there is no such stream
            groups = []
        nobody = f"It would not be handled: the service {self._service!r} has no listener {name!r} of {channel!r}"
        if not any(row[1] == group.encode() for row in groups):
            raise ListenerError(f"{nobody}. Start an instance that has it, or drop the letter with `daebus dead drop`.")
        if not any(of == group for of, _ in await self._beating(channel)) and await self.is_served():
            raise ListenerError(
                f"{nobody} any more. Deploy it again; or hand its position and waiting events over to another one, "
                f"`daebus listeners hand-over {self._service} {channel} {name} NEW`, and then replay the letter; "
                "or drop the letter with `daebus dead drop`."
            )
        return group

    async def _beating(self, channel: str) -> list[tuple[str, str]]:
        """The group and the name of each listener that a live instance has."""
        since = self._node.clock.now() - LISTENING_MS
        members = await self._node.link.execute("ZRANGEBYSCORE", channel_listening(channel), f"({since}", "+inf")
        parts = [member.decode().split(" ") for member in cast("list[bytes]", members)]
        return [(group, name) for _, group, name in parts]

    async def group(self, channel: str, name: str) -> str:
        """The consumer group of a listener, if it has one."""
        own = f"{self._service}:{name}"
        known = cast("bytes | None", await self._node.link.execute("HGET", channel_listeners(channel), own))
        return own if known is None else known.decode()

    def again(self, group: str, channel: str) -> tuple[str, str]:
        """The stream of the retries of a group's listener, and the set of all entries that wait for a retry."""
        stream = listener_stream(self._service, channel, group.partition(":")[2])
        return stream, delayed_entries(self._service)

    async def retrying(self, group: str, channel: str) -> int:
        """How many events a group's listener failed on and will get again."""
        return cast("int", await self._node.link.script(_AGAIN, self.again(group, channel), []))

    async def _of(self, channel: str, *, served: bool, retrying: bool) -> list[ListenerState]:
        link, stream = self._node.link, channel_stream(channel)
        try:
            groups = cast("list[list[bytes | int | None]]", await link.execute("XINFO", "GROUPS", stream))
        except CommandError:  # there is no such stream
            return []
        live = await self._beating(channel)
        names = await self._names(channel)
        states: list[ListenerState] = []
        for row in groups:
            facts = dict(zip(cast("list[bytes]", row[::2]), row[1::2], strict=True))
            group = cast("bytes", facts[b"name"]).decode()
            if not group.startswith(f"{self._service}:"):
                continue
            beating = [name for of, name in live if of == group]
            last = cast("bytes", facts[b"last-delivered-id"])
            states.append(
                ListenerState(
                    channel=channel,
                    listener=_name(names.get(group), beating) or group.partition(":")[2],
                    group=group,
                    state="live" if beating else "orphaned" if served else "stopped",
                    instances=len(beating),
                    waiting=cast("int | None", facts.get(b"lag")),
                    pending=cast("int", facts[b"pending"]),
                    retrying=await self.retrying(group, channel) if retrying else None,
                    oldest=await self._oldest(stream, group, last) if retrying or not beating else None,
                )
            )
        return sorted(states, key=lambda state: state.listener)

    async def _names(self, channel: str) -> dict[str, str]:
        """The name of each group that was declared last."""
        flat = cast("list[bytes]", await self._node.link.execute("HGETALL", channel_listeners(channel)))
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {field[:-5].decode(): name.decode() for field, name in pairs if field.endswith(b" name")}

    async def _oldest(self, stream: str, group: str, last: bytes) -> int | None:
        link = self._node.link
        pending = cast("list[bytes | None]", await link.execute("XPENDING", stream, group))
        following = cast("list[_Entry]", await link.execute("XRANGE", stream, b"(" + last, "+", "COUNT", 1))
        ids = [pending[1], *(entry_id for entry_id, _ in following)]
        return min((int(one.partition(b"-")[0]) for one in ids if one is not None), default=None)


def _name(declared: str | None, beating: list[str]) -> str | None:
    """The name that was declared last, unless only others are in use."""
    return declared if declared in beating or not beating else min(beating)
