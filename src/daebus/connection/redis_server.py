"""The server that accepts writes: the one that is named, or the one that Sentinels name."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar, cast

from daebus.core.private_parts import require
from daebus.core.timings import DEFAULT_TIMINGS, Timings
from daebus.errors import StartupError, Unavailable
from daebus.mistakes.suggestions import did_you_mean

from .outages import Outage, ServerUnavailable
from .session import (
    Greeting,
    Options,
    Redis,
    RedisCluster,
    Session,
    ask,
    client_of,
    cluster_client,
    dial,
    key_slot,
    plain_options,
    sentinel_client,
)
from .urls import Target, bad_url, parse_target

__all__ = ["RedisServer"]

REDIS: Sequence[str] = (
    "redis.asyncio:Connection._writer",
    "redis.asyncio:Connection.can_read",
    "redis.asyncio:SSLConnection.ssl_context",
    "redis.crc:key_slot",
)
"""The parts of redis-py beyond its documented interface that `daebus.connection.session` uses."""

_OLDEST_REDIS = 7
_VOTE_SECONDS = 1.0  # how long a vote of the Sentinels takes and counts

T = TypeVar("T")


class Shard(NamedTuple):
    """A range of the slots of a cluster, and the host and port of the primary that has it."""

    first: int
    last: int
    place: tuple[str, int]


@dataclass(slots=True)
class _Vote:
    """The server that most of the Sentinels named last; None: too few answered, or they did not agree."""

    asked_at: float = float("-inf")
    place: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RedisServer:
    """The address of the server, or of the servers of a cluster, and how to connect. Create it with `from_url`.

    Attributes:
        address: Its URL without the password, for messages.
        outage: The state of its connections, for the log.
        timings: The timeouts and intervals for the server.
    """

    address: str
    outage: Outage = field(repr=False)
    _target: Target = field(repr=False)
    _options: Options = field(repr=False)
    timings: Timings = field(default=DEFAULT_TIMINGS, repr=False)
    _revive: Callable[[], None] | None = field(default=None, repr=False)
    _seen: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]], repr=False)
    _vote: _Vote = field(default_factory=_Vote, repr=False)

    @classmethod
    def from_url(
        cls, url: str, *, revive: Callable[[], None] | None = None, timings: Timings = DEFAULT_TIMINGS
    ) -> RedisServer:
        """The server at a URL.

        Args:
            url: See docs/redis.md.
            revive: Starts the server again if it is gone; it may block.
            timings: The timeouts and intervals for the server.

        Raises:
            ConfigurationError: The URL is wrong.
        """
        try:
            target = parse_target(url)
            outage = Outage(target.address, timings.first_reminder)
            return cls(target.address, outage, target, plain_options(target.plain), timings, revive)
        except ValueError as error:
            raise bad_url(url, str(error)) from None

    def client(self) -> Redis | RedisCluster:
        """A regular redis-py client, of a cluster if it is one; replies are bytes. Close it with ``aclose``."""
        target = self._target
        if target.kind == "sentinel":
            return sentinel_client(target.hosts, target.primary, self._options, target.sentinel)
        if target.kind == "cluster":
            return cluster_client(target.plain, target.hosts)
        return client_of(target.plain)

    async def revive(self) -> None:
        """Start the server again if daebus manages it. Raises `StartupError`."""
        if self._revive is not None:
            await asyncio.to_thread(self._revive)

    async def check(self) -> None:
        """Connect once and disconnect. Raises `StartupError`, one line, if that fails."""
        require("redis", REDIS)
        try:
            if self.is_cluster:
                places = {shard.place for shard in await self.shards()}
                await self._first([self._probe(self.at(*place)) for place in places], "can be worked with")
            else:
                await self._probe(self)
        except Unavailable as error:
            raise StartupError(str(error)) from error.__cause__

    async def _probe(self, server: RedisServer) -> None:
        session = await server.connect()
        await session.close()

    @property
    def is_cluster(self) -> bool:
        """Whether there are several servers, each with some of the keys."""
        return self._target.kind == "cluster"

    @property
    def is_watched(self) -> bool:
        """Whether Sentinels say which server accepts writes."""
        return self._target.kind == "sentinel"

    @property
    def is_embedded(self) -> bool:
        """Whether daebus starts the server again."""
        return self._revive is not None

    async def ask_each(self, *command: str) -> dict[str, object]:
        """The replies to a command, by address: of the server that accepts writes, or of every primary of a cluster.

        Raises:
            Unavailable: One of them does not answer, or refuses.
        """
        if self.is_cluster:
            places = sorted({shard.place for shard in await self.shards()})
        elif self.is_watched:
            places = [await self._ask_sentinels()]
        else:
            return {self.address: await ask(self._options, self.address, *command)}
        asked = [
            ask({**self._options, "host": host, "port": port}, self._at((host, port)), *command)
            for host, port in places
        ]
        return dict(zip(map(self._at, places), await asyncio.gather(*asked), strict=True))

    async def locate(self) -> str:
        """The address, as in `Session.address`, of the server that the Sentinels name now. Raises `Unavailable`."""
        return self._at(await self._ask_sentinels())

    async def elected(self) -> str | None:
        """The address of the server that most of the Sentinels name, asked once a second for all connections.

        A single one may not know yet what the others have decided, or be cut off from them. None: too few agree.
        """
        vote = self._vote
        if time.monotonic() - vote.asked_at >= _VOTE_SECONDS:
            vote.asked_at = time.monotonic()
            vote.place = await self._ask_for_votes()
        return None if vote.place is None else self._at(vote.place)

    async def _ask_for_votes(self) -> tuple[str, int] | None:
        hosts = self._target.hosts
        votes = Counter(await asyncio.gather(*(self._vote_of(*host) for host in hosts)))
        return next((place for place, count in votes.items() if 2 * count > len(hosts)), None)

    async def _vote_of(self, host: str, port: int) -> tuple[str, int] | None:
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_VOTE_SECONDS):
                return await self._ask_sentinel(host, port)
        return None

    def _at(self, place: tuple[str, int]) -> str:
        return f"{self.address} ({place[0]}:{place[1]})"

    def at(self, host: str, port: int) -> RedisServer:
        """One node of this cluster."""
        address = self._at((host, port))
        options = {**self._options, "host": host, "port": port}
        outage, target = Outage(address, self.timings.first_reminder), replace(self._target, kind="node")
        return RedisServer(address, outage, target, options, self.timings)

    async def connect(self, key: str | None = None) -> Session:
        """Open a connection to the server that accepts writes, on a cluster to the node of `key`, and sign in.

        Raises:
            Unavailable: That fails; one sentence says why.
        """
        if self.is_cluster:
            slot = key_slot(key or "")
            for shard in await self.shards():
                if shard.first <= slot <= shard.last:
                    return await self.at(*shard.place).connect()
            raise ServerUnavailable(f"No node of the cluster at {self.address} has the slot {slot}.")
        address, options = self.address, self._options
        if self.is_watched:
            is_recent = time.monotonic() - self._vote.asked_at < 2 * _VOTE_SECONDS
            place = (self._vote.place if is_recent else None) or await self._ask_sentinels()
            address, options = self._at(place), {**options, "host": place[0], "port": place[1]}
        session = await dial(options, address)
        misfit = _misfit(session.greeting, self._target)
        if misfit is None:
            return session
        await session.close()
        raise ServerUnavailable(f"The server at {address} {misfit}")

    async def shards(self) -> list[Shard]:
        """The slots of each primary, from the first node of the cluster that answers. Raises `Unavailable`."""
        nodes = list(dict.fromkeys((*self._seen, *self._target.hosts)))
        shards = await self._first([self._ask_node(place) for place in nodes], "answers")
        self._seen[:] = {shard.place for shard in shards}
        return shards

    async def _ask_node(self, place: tuple[str, int]) -> list[Shard]:
        host, port = place
        options = {**self._options, "host": host, "port": port}
        reply = await ask(options, f"{host}:{port}", "CLUSTER", "SLOTS")
        rows = cast("list[tuple[int, int, tuple[bytes, int]]]", reply)
        shards = [Shard(first, last, (primary[0].decode() or host, primary[1])) for first, last, primary, *_ in rows]
        if not shards:
            raise ServerUnavailable(f"The node at {host}:{port} has no slots: was the cluster created?")
        return shards

    async def _ask_sentinels(self) -> tuple[str, int]:
        """The address of the primary, from the first Sentinel that knows it."""
        return await self._first(
            [self._ask_sentinel(*place) for place in self._target.hosts], f"knows the primary {self._target.primary!r}"
        )

    async def _first(self, questions: Sequence[Coroutine[None, None, T]], what: str) -> T:
        asking = [asyncio.create_task(question) for question in questions]
        failures: list[str] = []
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    return await answer
                except Unavailable as error:
                    failures.append(str(error))
        finally:
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)
        raise ServerUnavailable(f"None of the hosts of {self.address} {what}. {' '.join(failures)}")

    async def _ask_sentinel(self, host: str, port: int) -> tuple[str, int]:
        unwanted = {"db", "username", "password"}
        options = {name: value for name, value in self._options.items() if name not in unwanted}
        options |= {"host": host, "port": port, **self._target.sentinel}
        address, name = f"{host}:{port}", self._target.primary
        match await ask(options, address, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name):
            case [bytes(found), bytes(number)]:
                return found.decode(), int(number)
            case _:
                rows = cast("list[list[bytes]]", await ask(options, address, "SENTINEL", "MASTERS"))
                known = sorted(row[row.index(b"name") + 1].decode() for row in rows)
                hint = did_you_mean(name, known, f"it knows: {', '.join(known) or 'none'}.")
                raise ServerUnavailable(f"The Sentinel at {address} knows no primary {name!r}; {hint}")


def _misfit(greeting: Greeting, target: Target) -> str | None:
    """Why a server that answers is not the right one: the rest of a sentence about it."""
    if greeting.mode == "sentinel":
        return "is a Sentinel. Write redis+sentinel://HOST:26379/NAME, with the name that it gives the server."
    if target.kind == "node" and greeting.mode != "cluster":
        return "is not a node of a cluster. Write redis://HOST:PORT/0."
    if target.kind != "node" and greeting.mode == "cluster":
        return "is a node of a cluster. Write redis+cluster://HOST:PORT."
    if not greeting.is_primary:
        hint = (
            ""
            if target.kind == "sentinel"
            else " Give the URL of its primary, or of its Sentinels (redis+sentinel://)."
        )
        return f"is a replica, which does not accept writes.{hint}"
    if greeting.software == "redis" and int(greeting.version.partition(".")[0]) < _OLDEST_REDIS:
        return f"runs Redis {greeting.version}, and daebus needs Redis {_OLDEST_REDIS} or Valkey."
    return None
