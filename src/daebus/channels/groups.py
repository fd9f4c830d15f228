"""The consumer groups of a service's listeners of durable channels: which group each listener has, also after a rename.

A listener is identified by its name, and keeps its group. If the name changes, the new name becomes another name of the
same group. So replicas with the old name and replicas with the new one share the events while both run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument
from daebus.connection.scripts import EVEN_WHEN_FULL, NOW, Script
from daebus.declare.policies import ListenerIdentity, Policy
from daebus.delivery.endpoint import Endpoint
from daebus.errors import StartupError
from daebus.mistakes.suggestions import closest, did_you_mean, ended
from daebus.protocol.messages import (
    channel_listeners,
    channel_listening,
    channel_stream,
    gone_groups,
)
from daebus.telemetry.logs import Logger

from .listener_beats import ListenerBeats

__all__ = ["Listener", "Membership", "Memberships"]

# KEYS are the stream, the hash of the listeners, and the sorted sets of the active listeners and of the groups that are
# gone. ARGV are the service, this instance, and for each listener its name, its start and its former name, if any.
# Nothing is written if a person has to decide. A group whose listener is not here may belong to the new listener under
# its old name, to a listener of another program that uses the same service name, or to one that does not run now.
# Taking over the group of such a listener would lose its events. A new group would handle the events of a renamed one
# twice. A person also has to decide if no listener has the former name, which may be misspelt.
_JOIN = Script(
    EVEN_WHEN_FULL
    + NOW
    + """
    local service, me = ARGV[1] .. ':', ARGV[2]
    local exists, groups = {}, redis.pcall('XINFO', 'GROUPS', KEYS[1])
    if groups.err and not string.find(groups.err, 'no such key') then return groups end
    if not groups.err then
        for _, g in ipairs(groups) do
            if string.sub(g[2], 1, #service) == service then exists[g[2]] = true end
        end
    end
    local function group_of(name)
        if name == '' then return nil end
        return redis.call('HGET', KEYS[2], service .. name) or (exists[service .. name] and service .. name) or nil
    end
    local answers, owner, guesses = {}, {}, {}
    for i = 3, #ARGV, 3 do
        local n, name, group, how = #answers + 1, ARGV[i], group_of(ARGV[i]), 'known'
        if not group then group, how = group_of(ARGV[i + 2]), 'renamed' end
        if group and owner[group] then return {{'taken', name, owner[group]}} end
        if group then owner[group] = name end
        answers[n] = {group and how or 'new', group or service .. name}
        if not group and (ARGV[i + 1] == '' or ARGV[i + 2] ~= '') then guesses[#guesses + 1] = name end
    end
    if #guesses > 0 then
        local left = {}
        for group in pairs(exists) do
            if not owner[group] then
                left[#left + 1] = redis.call('HGET', KEYS[2], group .. ' name') or string.sub(group, #service + 1)
            end
        end
        table.sort(left)
        if #left > 0 then return {{'unclear', guesses[1], unpack(left)}} end
    end
    for n, answer in ipairs(answers) do
        local name, start, group = ARGV[3 * n], ARGV[1 + 3 * n], answer[2]
        if not exists[group] then
            redis.call('XGROUP', 'CREATE', KEYS[1], group, start == 'latest' and '$' or '0-0', 'MKSTREAM')
            local from = '0-0'
            for _, g in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
                for i = 1, #g, 2 do if g[2] == group and g[i] == 'last-delivered-id' then from = g[i + 1] end end
            end
            redis.call('HSET', KEYS[2], group .. ' from', from)
        end
        redis.call('ZREM', KEYS[4], group)
        redis.call('HSET', KEYS[2], service .. name, group, group .. ' name', name)
        redis.call('ZADD', KEYS[3], now, me .. ' ' .. group .. ' ' .. name)
    end
    return answers
    """
)

How: TypeAlias = Literal["known", "new", "renamed", "taken", "unclear"]


class Listener(msgspec.Struct, frozen=True, eq=False):
    """A handler of events.

    Attributes:
        channel: The channel's name.
        durable: Whether the channel keeps its events.
        name: Identifies the listener within its service, also after a restart.
        endpoint: The handler.
        concurrency: How many events are handled at once; the same number again for retries.
        policy: How often, how soon and for how long an event is tried.
        identity: Where a listener of a durable channel begins, and its former name.
        keep: Seconds for which events of a durable channel are kept after all listeners have handled them.
    """

    channel: str
    durable: bool
    name: str
    endpoint: Endpoint[None]
    concurrency: int
    policy: Policy
    identity: ListenerIdentity = ListenerIdentity()
    keep: float = 0.0


class Membership(msgspec.Struct, frozen=True):
    """A listener and its consumer group.

    Attributes:
        listener: The listener.
        group: The name of the group on the channel's stream.
        key: Identifies the listener in the keys of its service: the first name that it had.
    """

    listener: Listener
    group: str

    @property
    def key(self) -> str:
        """The name of the group without the service's name."""
        return self.group.partition(":")[2]


class Memberships:
    """Finds the groups of one service's durable listeners, and records the listeners of this instance.

    Args:
        node: This process.
        service: The service's name.
        listeners: Its listeners of durable channels.
        logger: For findings.
    """

    def __init__(self, node: Node, service: str, listeners: Sequence[Listener], logger: Logger) -> None:
        self._node = node
        self._service = service
        self._logger = logger
        self._wanted: dict[str, list[Listener]] = {}
        for listener in listeners:
            self._wanted.setdefault(listener.channel, []).append(listener)
        self._beats = ListenerBeats(node, service)

    async def join(self) -> list[Membership]:
        """Join the consumer groups of all listeners, and create those that are missing.

        Raises:
            StartupError: A person has to decide which group belongs to which listener.
        """
        if not self._wanted:
            return []
        await self._beats.note(list(self._wanted))
        memberships = [membership for channel in self._wanted for membership in await self._join_channel(channel)]
        self._beats.start()
        return memberships

    async def leave(self) -> None:
        """Record that this instance no longer has its listeners."""
        await self._beats.stop()

    async def _join_channel(self, channel: str) -> list[Membership]:
        listeners = self._wanted[channel]
        keys = [channel_stream(channel), channel_listeners(channel), channel_listening(channel), gone_groups(channel)]
        wishes = {one.name: (one.identity.start or "", one.identity.renamed_from or "") for one in listeners}
        while True:
            args: list[Argument] = [self._service, self._node.id]
            args += [part for name, wish in wishes.items() for part in (name, *wish)]
            rows = cast("list[list[bytes]]", await self._node.link.script(_JOIN, keys, args))
            answers = [[part.decode() for part in row] for row in rows]
            if answers[0][0] not in ("taken", "unclear"):
                break
            how, name, *others = answers[0]
            start, before = wishes[name]
            if how == "taken" or not start or closest(before, others) is not None:
                raise StartupError(self._undecided(channel, before, *answers[0]))
            self._logger.warning(
                "renamed_from= names an unknown listener: this one starts as a new listener",
                channel=channel,
                listener=name,
                renamed_from=before,
                begins=start,
            )
            wishes[name] = (start, "")
        memberships: list[Membership] = []
        for listener, (how, group) in zip(listeners, answers, strict=True):
            self._tell(listener, cast("How", how), group)
            memberships.append(Membership(listener, group))
            self._beats.add(channel, listener.name, group)
        return memberships

    def _tell(self, listener: Listener, how: How, group: str) -> None:
        about = {"channel": listener.channel, "listener": listener.name}
        if how == "new":
            begins = listener.identity.start or "earliest"
            self._logger.info("new listener of a durable channel", **about, begins=begins)
        elif how == "renamed":
            before = listener.identity.renamed_from
            self._logger.info("renamed listener continues at its position", **about, renamed_from=before, group=group)

    def _undecided(self, channel: str, before: str, how: str, name: str, *others: str) -> str:
        where = f"The listener {name!r} of the durable channel {channel!r}"
        if how == "taken":
            return (
                f"{where} has a name that {others[0]!r} had before it was renamed: give it another name, with name=..."
            )
        left = ", ".join(map(repr, others))
        if before:
            hint = ended(did_you_mean(before, others, f"it has the positions of {left}"))
            return (
                f"{where} is new, and renamed_from={before!r} is not the name of a listener that {self._service!r} has "
                f"or had there; {hint} Write that name, or remove renamed_from= and set start='latest' or "
                f"start='earliest'. `daebus listeners list {self._service}` shows them."
            )
        them, which = ("the position", "that one") if len(others) == 1 else ("the positions", "one of those")
        return (
            f"{where} is new, and the channel has {them} of {left}, which this app no longer has: if it is {which} "
            f"under a new name, set renamed_from={others[0]!r}; otherwise set start='latest' or start='earliest'. "
            f"`daebus listeners list {self._service}` shows them, `daebus listeners drop` deletes one."
        )
