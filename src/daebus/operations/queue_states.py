"""The queues of a service: what waits for its actions and its listeners, and since when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import msgspec

from daebus.channels.listener_groups import ListenerGroups
from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.discovery.directory import live_actions, partitions_to_read
from daebus.protocol.messages import action_stream, dead_letters, queued_actions
from daebus.queues.retries import GROUP

__all__ = ["QueueState", "dead_count", "queue_states"]

_Entry = tuple[bytes, list[bytes] | None]


class QueueState(msgspec.Struct, frozen=True):
    """What waits for an action, or for a listener of a durable channel.

    Attributes:
        title: ``action NAME``, or ``listen LISTENER``.
        waiting: How many messages no instance has read yet; None: the server cannot tell.
        pending: How many messages instances have read, and not settled.
        retrying: How many messages of a listener wait for a retry; None for actions.
        oldest: When the oldest of the waiting and pending messages was sent, in ms of the server's clock; None: there
            is none.
    """

    title: str
    waiting: int | None
    pending: int
    retrying: int | None
    oldest: int | None

    @property
    def size(self) -> int:
        """How many messages it has; at least, if the server cannot tell how many wait."""
        return (self.waiting or 0) + self.pending + (self.retrying or 0)


async def queue_states(node: Node, service: str) -> Sequence[QueueState]:
    """The queues of a service: of the actions that were served or sent to within a week, and of all listeners."""
    partitions = await partitions_to_read(node, service, 1)
    named = await asyncio.gather(*(node.link.execute("SMEMBERS", queued_actions(one)) for one in partitions))
    names = {name.decode() for found in named for name in cast("list[bytes]", found)}
    names |= await live_actions(node, service)
    actions = await asyncio.gather(*(_of_action(node, partitions, name) for name in sorted(names)))
    listeners = [
        QueueState(f"listen {state.listener}", state.waiting, state.pending, state.retrying, state.oldest)
        for state in await ListenerGroups(node, service).all()
    ]
    return [*actions, *listeners]


async def dead_count(node: Node, service: str) -> int:
    """How many dead letters a service has."""
    return cast("int", await node.link.execute("XLEN", dead_letters(service)))


async def _of_action(node: Node, partitions: Sequence[str], name: str) -> QueueState:
    found = await asyncio.gather(*(_of_stream(node, action_stream(one, name)) for one in partitions))
    waiting, pending = sum(one[0] for one in found), sum(one[1] for one in found)
    oldest = min((one[2] for one in found if one[2] is not None), default=None)
    return QueueState(f"action {name}", waiting, pending, None, oldest)


async def _of_stream(node: Node, stream: str) -> tuple[int, int, int | None]:
    """How many entries wait and are pending in the stream of an action, which has no others; the oldest one's time."""
    length, first, pending = await asyncio.gather(
        node.link.execute("XLEN", stream),
        node.link.execute("XRANGE", stream, "-", "+", "COUNT", 1),
        _pending(node, stream),
    )
    ids = [entry_id for entry_id, _ in cast("list[_Entry]", first)]
    oldest = int(ids[0].partition(b"-")[0]) if ids else None
    return max(0, cast("int", length) - pending), pending, oldest


async def _pending(node: Node, stream: str) -> int:
    try:
        summary = cast("list[int]", await node.link.execute("XPENDING", stream, GROUP))
    except CommandError:  # no instance has ever read it
        return 0
    return summary[0]
