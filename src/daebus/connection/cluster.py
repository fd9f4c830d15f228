"""The commands of a process on a cluster: one connection to each primary, each command to the one that has its slot."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial

from daebus.errors import DaebusError, Unavailable

from .link import Link, OnConnect, issue_each, run_script
from .outages import NotSent
from .redis_server import RedisServer
from .resp import Argument, Displaced, Reply
from .routing import key_of, sharded
from .scripts import Script
from .server_link import ServerLink
from .session import key_slot
from .wire import AllAnswered, Answered, Wire, fulfil

__all__ = ["ClusterLink", "open_link"]

_SLOTS = 16384
_MOST_TURNS = 5
# Seconds between two looks at the cluster: after one that had a reason, while a part of it is away, and at rest.
_SOON = 0.1
_OFTEN = 0.5
_SELDOM = 30.0
_HUNG = 1.0  # seconds of silence of a node that owes replies, after which the others are asked about it
_DIAL = 2.0  # seconds that one node may hold up the others

_log = logging.getLogger(__name__)

Place = tuple[str, int]


def open_link(
    server: RedisServer,
    *,
    on_connect: OnConnect | None = None,
    divert: Callable[[Reply], bool] | None = None,
    patience: float | None = None,
    first: Sequence[tuple[Argument, ...]] = (),
) -> Link:
    """The connection for the commands of a process, not yet started; its arguments are those of `ServerLink`."""
    kind = ClusterLink if server.is_cluster else ServerLink
    return kind(server, on_connect=on_connect, divert=divert, patience=patience, first=first)


class ClusterLink:
    """The `Link` to a cluster: connections to all its primaries. It follows moved slots and failovers.

    Channels whose names begin with ``daebus:`` are sharded, so that only the nodes of one shard get their messages.
    Channels of ``daebus:reply:old:`` are not, because services without sharded channels publish to them; nor are those
    of ``daebus:headers:``.

    Attributes:
        lost_at: When a part of the cluster was last lost, by `time.monotonic`.
        sharded: Whether channels that begin with ``daebus:`` are sharded ones.
    """

    sharded: bool = True

    def __init__(
        self,
        server: RedisServer,
        *,
        on_connect: OnConnect | None = None,
        divert: Callable[[Reply], bool] | None = None,
        patience: float | None = None,
        first: Sequence[tuple[Argument, ...]] = (),
    ) -> None:
        """Set up the link; nothing is opened. See `ServerLink` for the arguments."""
        self._server = server
        self._on_connect = on_connect
        self._to_node = partial(ServerLink, on_connect=self._returned, divert=divert, patience=patience, first=first)
        self.lost_at: float = 0.0
        self._links: dict[Place, ServerLink] = {}
        self._owners: list[ServerLink | None] = [None] * _SLOTS
        self._look = asyncio.Event()
        self._greet = False
        self._whole = False
        self._well = True
        self._watcher: asyncio.Task[None] | None = None
        self._turning: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """The cluster, for messages."""
        return self._server.address

    @property
    def connected(self) -> bool:
        """Whether every primary has a connection that is ready."""
        return self._whole and all(link.connected for link in self._links.values())

    def reaches(self, key: str) -> bool:
        """Whether the primary that has a key, or a channel, has a connection."""
        link = self._owners[key_slot(key)]
        return link is not None and link.connected and not self._greet

    async def start(self) -> None:
        """Connect to all primaries, and stay connected. Raises `Unavailable` if the first attempt fails."""
        try:
            await self._follow()
            await self._greeted()
        except BaseException:
            await self._close_links(list(self._links.values()))
            raise
        self._watcher = asyncio.create_task(self._watch(), name=f"view of {self._server.address}")

    async def close(self) -> None:
        """Send the issued commands and close. Commands without an answer by then fail with `Unavailable`."""
        for task in (self._watcher, *self._turning):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        await self._close_links(list(self._links.values()))

    async def drain(self) -> None:
        """Wait while any of the primaries accepts commands more slowly than they are issued."""
        await asyncio.gather(*(link.drain() for link in self._links.values()))

    def execute(self, *command: Argument) -> asyncio.Future[Reply]:
        """Issue a command to the primary that has its key; see `Link.execute`."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.issue(command, partial(fulfil, future, command))
        return future

    def issue(self, command: tuple[Argument, ...], answered: Answered) -> None:
        """Issue a command to the primary that has its key; see `Link.issue`."""
        key = key_of(command)
        link = self._any() if key is None else self._owners[key_slot(key)]
        if link is None:
            self._look.set()
            answered(NotSent(f"No node of the cluster at {self._server.address} serves the key of {command[0]!r}."))
            return
        command = sharded(command)
        link.issue(command, partial(self._answered, command, answered, 1))

    def issue_all(self, commands: Sequence[tuple[Argument, ...]], answered: AllAnswered) -> None:
        """Issue each of some commands to the primary that has its key; see `Link.issue_all`."""
        issue_each(self, commands, answered)

    def script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]
    ) -> Coroutine[None, None, Reply]:
        """Run `script` at the primary that has the first of its keys; see `Link.script`."""
        return run_script(self, script, keys, args)

    def doubt(self) -> None:
        """Check soon whether the connections are alive, and which node has which slots."""
        self._look.set()
        for link in self._links.values():
            link.doubt()

    async def is_heard(self, channel: str) -> bool:
        """Whether a channel that is not sharded has a subscriber, at any of the primaries."""
        asking = [asyncio.create_task(link.is_heard(channel)) for link in self._links.values()]
        try:
            for answer in asyncio.as_completed(asking):
                with suppress(Unavailable):
                    if await answer:
                        return True
            return False
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def subscribers(self, channel: str) -> int:
        """How many connections subscribe, at all primaries, to a channel that is not sharded."""
        return sum(await asyncio.gather(*(link.subscribers(channel) for link in self._links.values())))

    async def keys(self, pattern: str) -> list[str]:
        """The keys of all primaries that match a pattern, in no order."""
        parts = await asyncio.gather(*(link.keys(pattern) for link in self._links.values()))
        return [key for part in parts for key in part]

    def beside(self, wire: Wire) -> ServerLink | None:
        """The connection for commands to the same primary as `wire`; None: there is none."""
        return next((link for link in self._links.values() if link.address == wire.address), None)

    def _any(self) -> ServerLink | None:
        return next((link for link in self._links.values() if link.connected), next(iter(self._links.values()), None))

    def _answered(self, command: tuple[Argument, ...], answered: Answered, turn: int, reply: Reply) -> None:
        if isinstance(reply, Unavailable):
            self._look.set()
        if not isinstance(reply, Displaced) or reply.target is None or turn == _MOST_TURNS:
            answered(reply)
            return
        task = asyncio.create_task(self._turn(command, answered, turn + 1, reply))
        self._turning.add(task)
        task.add_done_callback(self._turning.discard)

    async def _turn(self, command: tuple[Argument, ...], answered: Answered, turn: int, displaced: Displaced) -> None:
        """Issue a command to the node that it belongs to."""
        host, _, port = (displaced.target or "").rpartition(":")
        try:
            link = await self._link_to((host, int(port)))
        except (Unavailable, asyncio.CancelledError) as error:
            answered(error if isinstance(error, Unavailable) else displaced)
            return
        if displaced.asked:
            link.issue(("ASKING",), lambda _: None)
        link.issue(command, partial(self._answered, command, answered, turn))

    async def _link_to(self, place: Place) -> ServerLink:
        link = self._links.get(place)
        if link is None:
            fresh = self._to_node(self._server.at(*place))
            await fresh.start()
            link = self._links.setdefault(place, fresh)
            if link is not fresh:  # another task was quicker
                await fresh.close()
        return link

    def _returned(self) -> None:
        self._note_health()
        self._greet = True
        self._look.set()

    def _note_health(self) -> bool:
        """Record whether all nodes are there and none of them hangs."""
        well = self.connected and all(link.silence < _HUNG for link in self._links.values())
        if self._well and not well:
            self.lost_at = time.monotonic()
        self._well = well
        return well

    async def _watch(self) -> None:
        pause = _SOON
        while True:
            await self._wait()
            try:
                await self._follow()
                if self._greet:
                    await self._greeted()
            except DaebusError as error:
                _log.debug("%s", error)
            await asyncio.sleep(pause)
            pause = _SOON if self._note_health() else min(_OFTEN, pause * 2)

    async def _wait(self) -> None:
        """Wait until there is a reason to look at the cluster."""
        end = time.monotonic() + _SELDOM
        while not (self._look.is_set() or self._greet) and self._note_health() and time.monotonic() < end:
            with suppress(TimeoutError):
                async with asyncio.timeout(_OFTEN):
                    await self._look.wait()
        self._look.clear()

    async def _greeted(self) -> None:
        self._greet = False
        try:
            done = self._on_connect() if self._on_connect is not None else None
            if done is not None:
                await done
        except BaseException:
            self._greet = True
            raise

    async def _follow(self) -> None:
        """Look up which node has which slots; connect to new nodes, and disconnect from those without slots."""
        shards = await self._server.shards()
        places = {shard.place for shard in shards}
        await asyncio.gather(*(self._reach(place) for place in places))
        self._whole = all(place in self._links for place in places)
        owners: list[ServerLink | None] = [None] * _SLOTS
        for shard in shards:
            link = self._links.get(shard.place)
            owners[shard.first : shard.last + 1] = [link] * (shard.last + 1 - shard.first)
        if self._owners != owners:
            self._greet = True
        self._owners = owners
        left = [place for place in self._links if place not in places]
        if left and self._well:
            self.lost_at = time.monotonic()
        for place in left:
            _log.warning("The node %s:%d of the cluster at %s has no slots any more.", *place, self._server.address)
        await self._close_links([self._links.pop(place) for place in left])

    async def _reach(self, place: Place) -> None:
        """Connect to a node. If that fails, it is about to be replaced, and until then its commands fail."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_DIAL):
                await self._link_to(place)

    async def _close_links(self, links: list[ServerLink]) -> None:
        for link in links:
            await link.close()
