"""Failed entries: an entry whose handler failed is retried after a delay, or becomes a dead letter.

Waiting entries are in a sorted set of the service, whose score is the server's time in ms at which they are due.
`daebus.queues.due_retries` moves those that are due back to a stream.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from daebus.connection.node import Node
from daebus.connection.resp import Argument, CommandError
from daebus.connection.scripts import NOW, Script
from daebus.declare.policies import Policy
from daebus.delivery.causes import cause_of, details_of
from daebus.errors import (
    BadRequest,
    Internal,
    NoSuchAction,
    NoSuchService,
    ServiceError,
    Timeout,
    TooManyRequests,
    Unavailable,
)
from daebus.protocol.fields import number_in
from daebus.protocol.limits import DEAD_SIZE, MAX_DEAD
from daebus.protocol.messages import dead_letters, delayed_entries, service_of
from daebus.telemetry.logs import Logger

from .due_retries import DueRetries
from .lease_scripts import IS_MINE
from .leases import Entry

__all__ = ["GROUP", "Origin", "Retries", "is_passing"]

GROUP = "daebus"
"""The consumer group of every stream that belongs to one service."""

_LARGEST_PART, _EXCERPT = 16, 1000  # of the limit of all letters; bytes

_MISSING_SECONDS = 5.0

# The entry is removed in the same step, unless it is no longer with this delivery. It is moved once, even if the
# command is sent twice. If the group is lost, the entry is still in flight here. The entry is added first, because the
# memory may be full. On a cluster the stream of a channel, and the dead letters of a partition, are in another slot and
# have their own steps.
_CHECK = Script(f"{IS_MINE} return is_mine(KEYS[1], ARGV[1], ARGV[2], ARGV[4], ARGV[5]) == false and 0 or 1")


def _settling(text: str, own: int) -> Script:
    """A script with keys of its own that moves an entry, and removes it from the stream in the next key, if any."""
    stream = f"KEYS[{own + 1}]"
    return Script(
        f"""{IS_MINE}
        if {stream} and is_mine({stream}, ARGV[1], ARGV[2], ARGV[4], ARGV[5]) == false then return 0 end
        {text}
        if {stream} then
            redis.call('XACK', {stream}, ARGV[1], ARGV[2])
            if ARGV[3] == '1' then redis.call('XDEL', {stream}, ARGV[2]) end
        end
        return 1
        """
    )


# The note of the clock is made with the first member: the clock may be set before the members are looked at.
_DELAY = _settling(
    NOW
    + """
    local due = now + ARGV[6]
    local entry = {}
    for i = 7, #ARGV do entry[i - 6] = ARGV[i] end
    redis.call('ZADD', KEYS[1], due, cjson.encode(entry))
    redis.call('SET', KEYS[2], now, 'PX', 604800000, 'NX')
    """,
    own=2,
)
# Make room: while the stream has too many bytes, remove a tenth of the entries.
_BURY = _settling(
    """
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], '*', unpack(ARGV, 8))
    for _ = 1, 50 do
        local size, length = redis.pcall('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', 100), redis.call('XLEN', KEYS[1])
        if type(size) ~= 'number' or size <= tonumber(ARGV[7]) or length == 1 then break end
        redis.call('XTRIM', KEYS[1], 'MAXLEN', length - math.ceil(length / 10))
    end
    """,
    own=1,
)
_END = Script(
    """
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
    if ARGV[3] == '1' then redis.call('XDEL', KEYS[1], ARGV[2]) end
    """
)


class Origin(msgspec.Struct, frozen=True, eq=False):
    """Where a handler's entries come from, and where they go for a retry.

    Attributes:
        partition: The partition of the service.
        handler: Fields that name the handler in a dead letter: field, value, and so on.
        stream: The stream that is read.
        group: The consumer group.
        registry: The sorted set of the instances that read it.
        again: The stream for retries, in the partition's hash slot.
        policy: How often, and how soon, an entry is retried.
    """

    partition: str
    handler: tuple[str, ...]
    stream: str
    group: str
    registry: str
    again: str
    policy: Policy

    @property
    def is_own(self) -> bool:
        """Whether no other group reads the stream, so that entries are deleted. That of a channel is trimmed."""
        return self.stream == self.again

    @property
    def name(self) -> str:
        """The name of the action, or of the listener."""
        return self.handler[-1]

    @property
    def title(self) -> str:
        """The handler: ``action NAME``, or ``listen LISTENER``."""
        return f"{'listen' if self.handler[0] == 'channel' else 'action'} {self.name}"


def is_passing(problem: ServiceError) -> bool:
    """Whether a retry may succeed: the error was unexpected, or something was away, slow, full or not there yet."""
    return isinstance(problem, Internal | Unavailable | Timeout | TooManyRequests | NoSuchAction)


def _floor(problem: ServiceError) -> float | None:
    """The shortest time in seconds that the cause of an error needs to pass; None: unknown.

    A missing service has to start first. Retries that follow each other within a second would be used up before that.
    """
    if isinstance(problem, NoSuchService | NoSuchAction):
        return _MISSING_SECONDS
    return 0.0 if isinstance(problem, Unavailable | Timeout | TooManyRequests) else None


class Retries:
    """Settles the failed entries of one partition, and moves due retries back to their streams.

    The dead letters of all partitions of a service are in one stream.

    Attributes:
        partition: The partition.
    """

    def __init__(self, node: Node, partition: str, logger: Logger, dead_size: int = DEAD_SIZE) -> None:
        self.partition = partition
        self._dead_size = dead_size
        self._node = node
        self._logger = logger
        self._delayed = delayed_entries(partition)
        self._service = service_of(partition)
        self._dead = dead_letters(self._service)
        self._due = DueRetries(node, self._delayed, self._bury_misfit, logger)

    async def start(self) -> None:
        """Start to move due retries back to their streams."""
        self._due.start()

    async def stop(self) -> None:
        """Stop moving due retries back."""
        await self._due.stop()

    async def failed(self, origin: Origin, entry: Entry, problem: ServiceError, request_id: str) -> None:
        """Settle an entry whose handler failed: schedule a retry if that may help, else bury it; see `bury`."""
        failures = number_in(entry.get(b"failures")) + 1
        if not is_passing(problem) or failures > origin.policy.retries:
            await self.bury(origin, entry, problem, request_id)
            return
        pause = origin.policy.pause(failures, _floor(problem))
        self._logger.warning(
            "message will be retried",
            stream=origin.again,
            entry=entry.id.decode(),
            request_id=request_id,
            error=problem.code,
            failures=failures,
            seconds=round(pause, 3),
        )
        what = [origin.again, entry.id, *_body(entry), "failures", failures, "sent", _sent(entry)]
        what += ["failed", number_in(entry.get(b"failed"), self._node.clock.now())]
        if entry.span is not None:
            what += ["span", entry.span]
        if await self._settle(_DELAY, self._due.keys, origin, entry, [int(pause * 1000), *what]):
            self._node.counts.retried[origin.title] += 1
        self._due.expect(pause)

    async def give_up(self, origin: Origin, entry: Entry, most: int, request_id: str) -> Internal | None:
        """Move an entry that was delivered `most` times to the dead letters; return the error; see `bury` for None."""
        each = "each time its process died, or was considered dead"
        problem = Internal(f"It was delivered {most} times, and never finished: {each}")
        return problem if await self.bury(origin, entry, problem, request_id, most=most) else None

    async def bury(
        self, origin: Origin, entry: Entry, problem: ServiceError, request_id: str, *, most: int = sys.maxsize
    ) -> bool:
        """Move an entry to the dead letters, as delivered `most` times at most; return False if it was taken over."""
        self._logger.error(
            "moved to the dead letters",
            stream=origin.again,
            entry=entry.id.decode(),
            request_id=request_id,
            error=f"{problem.code}: {problem.message}",
        )
        deliveries = number_in(entry.get(b"failures")) + min(entry.deliveries, most)
        letter: list[Argument] = ["service", self._service, *origin.handler, "code", problem.code]
        letter += ["error", problem.message, "deliveries", deliveries, "sent", _sent(entry)]
        letter += ["failed", number_in(entry.get(b"failed"), self._node.clock.now())]
        letter += ["instance", self._node.id, "request_id", request_id, "entry", entry.id]
        cause = cause_of(problem)
        if cause is not None:
            letter += ["exception", cause.exception, "reason", cause.reason, "traceback", cause.traceback]
        if details := details_of(problem):
            letter += ["details", details]
        letter += [*_excerpt(_body(entry), self._dead_size // _LARGEST_PART)]
        is_buried = await self._settle(_BURY, [self._dead], origin, entry, [MAX_DEAD, self._dead_size, *letter])
        self._node.counts.buried[origin.title] += is_buried
        return is_buried

    async def _settle(
        self, script: Script, keys: Sequence[str], origin: Origin, entry: Entry, what: Sequence[Argument]
    ) -> bool:
        entry.is_ending = True
        args = (origin.group, entry.id, int(origin.is_own), self._node.id, entry.deliveries, *what)
        try:
            is_mine = await self._node.insist(script, [*keys, origin.stream], args) == 1
        except CommandError:
            # If the process dies in between, the entry is taken over. It may then be handled twice.
            is_mine = await self._node.insist(_CHECK, [origin.stream], args[:5]) == 1
            if is_mine:
                await self._node.insist(script, keys, args)
                await self._node.insist(_END, [origin.stream], args[:3])
        if not is_mine:
            about = {"stream": origin.stream, "entry": entry.id.decode()}
            self._logger.info("entry is gone, or another instance has taken it over: it is not moved", **about)
        return is_mine

    async def _bury_misfit(self, member: bytes) -> None:
        """Move a member of the sorted set that is no retry to the dead letters."""
        error = "a member of the sorted set of retries that is no retry: it is moved to the dead letters"
        self._logger.error(error, set=self._delayed, bytes=len(member))
        now = self._node.clock.now()
        letter: list[Argument] = ["service", self._service, "code", BadRequest.code, "error", "It is no retry"]
        letter += ["deliveries", 0, "sent", now, "failed", now, "instance", self._node.id]
        letter += _excerpt(["member", member], self._dead_size // _LARGEST_PART)
        await self._node.insist(_BURY, [self._dead], ["", "", 0, "", 0, MAX_DEAD, self._dead_size, *letter])


_SENT = (b"request", b"event", b"trace_id", b"event_id", b"sender", b"headers")


def _body(entry: Entry) -> list[Argument]:
    """The message that was sent: names and values alternating."""
    found = [(name, entry.get(name)) for name in _SENT]
    return [part for name, value in found if value is not None for part in (name, value)]


def _excerpt(body: list[Argument], largest: int) -> list[Argument]:
    """The stored part of a message: only its beginning if it is so large that it would push out many other letters."""
    size = max((len(part) for part in body if isinstance(part, bytes)), default=0)
    if size <= largest:
        return body
    return [*(part[:_EXCERPT] if isinstance(part, bytes) else part for part in body), "cut", size]


def _sent(entry: Entry) -> int:
    """When the entry was sent, in ms: an entry's id begins with the time when it was added."""
    return number_in(entry.get(b"sent"), int(entry.id.partition(b"-")[0]))
