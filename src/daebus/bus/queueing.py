"""Queueing requests that want no reply, and logging those that wait for an action that no instance serves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import Script
from daebus.discovery.directory import Directory, live_actions, partitions_to_read
from daebus.errors import NoSuchAction, ServiceError, TooManyRequests, Unavailable
from daebus.mistakes.suggestions import did_you_mean
from daebus.payloads.codec import encode
from daebus.protocol.limits import size_check
from daebus.protocol.messages import Request, action_stream, queued_actions, sent_mark
from daebus.telemetry.logs import Logger, make_logger
from daebus.telemetry.tallies import Tally

from .publishing import SENT_MS

__all__ = ["Queue", "tell_unserved"]

_MOST_NAMES = 1_000
_MOST_TOLD = 20

# The name of an action is recorded if its stream was empty. So an instance that starts finds waiting requests that
# nobody serves without a scan of all keys of the server.
_APPEND = Script(
    """
    if KEYS[3] and redis.call('GET', KEYS[3]) then return 1 end
    """
    "local length = redis.call('XLEN', KEYS[1])"
    + size_check("size", "length", "ARGV[3]")
    + """
    if length >= tonumber(ARGV[1]) then return 0 end
    if size + #ARGV[3] > tonumber(ARGV[2]) then return -1 end
    redis.call('XADD', KEYS[1], '*', 'request', ARGV[3])
    if length == 0 then redis.call('SADD', KEYS[2], ARGV[4]) end
    if KEYS[3] then redis.call('SET', KEYS[3], '1', 'PX', ARGV[5]) end
    return 1
    """
)

# How many requests wait for an action, and the id of the oldest; an action whose stream was deleted is forgotten.
_WAITING = Script(
    """
    if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
    local length = redis.call('XLEN', KEYS[1])
    if length == 0 then return {0, ''} end
    return {length, redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]}
    """
)


class Queue:
    """Queues the requests of a process that want no reply.

    Args:
        node: The process.
        directory: The services with their instances and actions.
        warns: Whether to log requests for actions that no live instance of a service has.
    """

    def __init__(self, node: Node, directory: Directory, *, warns: bool) -> None:
        self._node = node
        self._directory = directory
        self._warns = warns
        self._unserved: dict[tuple[str, str], Tally] = {}

    async def put(self, request: Request, max_queued: int, max_size: int, *, once: bool = False) -> None:
        """Queue a request; `once`: the server has it once, however often it is put within `SENT_MS`.

        Raises:
            TooManyRequests: Too many requests wait already.
        """
        key = request.request_id if once and request.idempotency_key is None else request.idempotency_key
        partition = self._directory.partition(request.service, key)
        keys = [action_stream(partition, request.action), queued_actions(partition)]
        keys += [sent_mark(partition, request.request_id)] if once else []
        args: list[Argument] = [max_queued, max_size, encode(request), request.action, SENT_MS]
        taken = await self._node.link.script(_APPEND, keys, args)
        if taken != 1:
            what = f"{max_queued} requests wait" if taken == 0 else f"Requests of {max_size} bytes wait"
            raise TooManyRequests(f"{what} for {request.service}.{request.action} already")
        if self._warns and self._directory.lacks(request.service, request.action):
            await self._warn(request)

    async def _warn(self, request: Request) -> None:
        key = (request.service, request.action)
        if key not in self._unserved and len(self._unserved) >= _MOST_NAMES:
            return
        tally = self._unserved.setdefault(key, Tally(reminds=True))
        if not tally.add():
            return
        try:
            await self._directory.require(*key)  # an instance that has it may just have started
        except NoSuchAction as error:
            make_logger().warning(
                "request queued for an action that no live instance has",
                service=request.service,
                action=request.action,
                times=tally.count,
                reason=error.message,
            )
        except (ServiceError, CommandError):  # no instance is there now, or that is unknown: it waits
            pass


class _Waiting(msgspec.Struct):
    count: int = 0
    oldest: int = 0
    streams: list[str] = []


async def tell_unserved(node: Node, service: str, partitions: int, actions: Iterable[str], logger: Logger) -> None:
    """Log the actions of a service for which requests wait and that neither this instance nor another one serves.

    Args:
        node: This process.
        service: The service's name.
        partitions: How many partitions it has.
        actions: The actions of this instance. They are recorded, because the next version may not have all of them.
        logger: The log.
    """
    own = sorted(actions)
    try:
        served = await live_actions(node, service)
        found: dict[str, _Waiting] = {}
        for partition in await partitions_to_read(node, service, partitions):
            await _look_through(node, partition, own, served.union(own), found)
    except (Unavailable, CommandError) as error:  # it starts all the same
        logger.debug("could not search for unhandled requests", reason=str(error))
        return
    for name, waiting in sorted(found.items())[:_MOST_TOLD]:
        hint = did_you_mean(name, own, "was it renamed, or is another program with it not running?")
        logger.warning(
            "requests wait for an action that no instance has",
            action=name,
            waiting=waiting.count,
            since=datetime.fromtimestamp(waiting.oldest / 1000, UTC).isoformat(timespec="seconds"),
            remedy=f"{hint} Start an instance that has it, or delete the requests: DEL {' '.join(waiting.streams)}",
        )
    if len(found) > _MOST_TOLD:
        logger.warning("requests wait for more actions that no instance has", actions=len(found) - _MOST_TOLD)


async def _look_through(
    node: Node, partition: str, own: list[str], served: frozenset[str], found: dict[str, _Waiting]
) -> None:
    names = queued_actions(partition)
    if own:
        await node.link.execute("SADD", names, *own)
    known = cast("list[bytes]", await node.link.execute("SRANDMEMBER", names, _MOST_NAMES))
    for name in {one.decode(errors="replace") for one in known} - served:
        stream = action_stream(partition, name)
        try:
            reply = await node.link.script(_WAITING, [stream, names], [name])
        except CommandError:  # the key is no stream
            continue
        count, oldest = cast("tuple[int, bytes]", reply)
        if count:
            waiting = found.setdefault(name, _Waiting())
            since = int(oldest.partition(b"-")[0])
            waiting.oldest = min(since, waiting.oldest or since)
            waiting.count += count
            waiting.streams.append(stream)
