"""The directory of services, actions and partitions: each caller reads it, with a cache; `presence` writes it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import cast

import msgspec

from daebus.connection.link import Link
from daebus.connection.node import Node
from daebus.connection.resp import CommandError
from daebus.errors import NoSuchAction, NoSuchService, Unavailable
from daebus.mistakes.suggestions import did_you_mean
from daebus.protocol.messages import MAX_PARTITIONS, partition_of, serving_channel, serving_registry

__all__ = ["LEFT", "Directory", "live_actions", "partitions_to_read"]

LEFT = ":left"
"""The member whose score is the time when the last instance stopped; the next heartbeat removes it."""

_decode_actions = msgspec.json.Decoder(list[str]).decode


class _Served(msgspec.Struct, frozen=True):
    """The known state of a service at a time.

    Attributes:
        looked: The time, in seconds of `time.monotonic`.
        gaps: How often messages may have been missed by then, including that of an instance that stopped.
        actions: The actions of its live instances, and the empty name; nothing if there are none.
        seen: Whether an instance has served it within a week.
        partitions: How many partitions the service has, or had last.
        turns: A counter for taking the partitions in turn.
        left: When the last instance stopped, in ms of the server's clock; None: it did not, or it died.
    """

    looked: float
    gaps: int
    actions: frozenset[str]
    seen: bool
    partitions: int
    turns: Iterator[int]
    left: float | None = None


_UNKNOWN = _Served(float("-inf"), 0, frozenset(), seen=False, partitions=1, turns=itertools.count())


class Directory:
    """A caller's cached view of the services and their actions."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._timings = node.timings
        self._known: dict[str, _Served] = {}
        self._refreshing: dict[str, asyncio.Task[_Served]] = {}
        self._heard: set[str] = set()

    def knows(self, service: str, action: str) -> bool:
        """Whether a live instance that serves the action was seen recently."""
        known = self._known.get(service, _UNKNOWN)
        return (
            action in known.actions
            and time.monotonic() - known.looked <= self._timings.fresh
            and known.gaps == self._node.subscriber.gaps
        )

    def lacks(self, service: str, action: str) -> bool:
        """Whether live instances were seen, none of which had the action."""
        actions = self._known.get(service, _UNKNOWN).actions
        return bool(actions) and action not in actions

    def partition(self, service: str, key: str | None) -> str:
        """The partition to which a request goes: chosen by its idempotency key, else each partition in turn.

        It is the first one if nothing is known of the service.
        """
        known = self._known.get(service, _UNKNOWN)
        if known.partitions == 1:
            return service
        number = next(known.turns) if key is None else zlib.crc32(key.encode())
        return partition_of(service, number % known.partitions)

    async def require(self, service: str, action: str) -> None:
        """Return if a live instance serves the action.

        Raises:
            NoSuchService: No instance has served the service lately, or the last one has stopped.
            NoSuchAction: None of its live instances has this action.
        """
        actions = await self._served(service, action)
        if not actions:
            raise self._no_such_service(service)
        if action not in actions:
            raise _no_such_action(service, action, actions)

    async def serves(self, service: str) -> bool:
        """Whether an instance has served the service recently."""
        return bool(await self._served(service, ""))

    def has_seen(self, service: str) -> bool:
        """Whether an instance has served the service within a week, as last seen: then it speaks our wire format."""
        return self._known.get(service, _UNKNOWN).seen

    async def _served(self, service: str, wanted: str) -> frozenset[str]:
        known = self._known.get(service, _UNKNOWN)
        if wanted not in known.actions or not self._counts(known) or known.gaps != self._node.subscriber.gaps:
            return (await asyncio.shield(self._refresh(service))).actions
        if time.monotonic() - known.looked > self._timings.fresh:
            self._refresh(service)
        return known.actions

    def _refresh(self, service: str) -> asyncio.Task[_Served]:
        task = self._refreshing.get(service)
        if task is None:
            task = self._refreshing[service] = asyncio.create_task(self._look(service))
            task.add_done_callback(lambda done: self._refreshed(service, done))
        return task

    def _refreshed(self, service: str, done: asyncio.Task[_Served]) -> None:
        self._refreshing.pop(service, None)
        if not done.cancelled():
            done.exception()  # the error goes to those that await it, perhaps nobody

    async def _look(self, service: str) -> _Served:
        while True:
            before, gaps = self._known.get(service), self._node.subscriber.gaps
            found = self._understood(await _beats(self._node, service), gaps)
            if before is not None and before.actions and not found.seen and self._counts(before):
                found = msgspec.structs.replace(
                    before, gaps=gaps
                )  # the registry was lost: who stops leaves a mark in it
            if found.actions and await self._begins_to_hear(service):
                continue  # once more: an instance may have stopped in between
            if self._known.get(service) is before:  # else an instance has stopped meanwhile
                self._known[service] = found
                return found

    def _counts(self, known: _Served) -> bool:
        """Whether what is known of a service is not older than the last heartbeat of an instance may be."""
        return time.monotonic() - known.looked < self._timings.live

    async def _begins_to_hear(self, service: str) -> bool:
        """Start to receive the messages of instances that stop; return False if already started, or not possible."""
        if service in self._heard:
            return False
        with suppress(Unavailable, CommandError):  # what is known is looked at again anyway, after a while
            await self._node.subscriber.subscribe(serving_channel(service), lambda _: self._forget(service))
            self._heard.add(service)
            return True
        return False

    def _forget(self, service: str) -> None:
        """An instance has stopped: the live instances are looked up again before the next call."""
        self._known[service] = msgspec.structs.replace(self._known.get(service, _UNKNOWN), actions=frozenset())

    def _understood(self, beats: Mapping[str, float], gaps: int) -> _Served:
        live = self._timings.live * 1000
        since, left = self._node.clock.now() - live, beats.get(LEFT)
        actions = _live(beats, since)
        # If no instance lives, the last live ones count, so that keys go to the same partitions as before.
        lived = beats.get("", 0.0) - live
        partitions = _partitions({name: beat for name, beat in beats.items() if beat >= lived})
        turns = itertools.count(random.randrange(partitions))  # noqa: S311  # spread, not secrecy
        return _Served(time.monotonic(), gaps, actions, bool(beats), partitions, turns, left)

    def _no_such_service(self, service: str) -> NoSuchService:
        left = self._known.get(service, _UNKNOWN).left
        if left is not None:
            ago = max(0, round((self._node.clock.now() - left) / 1000))
            message = f"No instance serves {service!r}: the last one stopped {ago} s ago; is it being restarted?"
        else:
            seen = [name for name, known in self._known.items() if known.actions]
            hint = did_you_mean(service, seen, "is it started, and on this server?")
            message = f"No instance has served {service!r} in the last {self._timings.live:.0f} s: {hint}"
        return NoSuchService(message, details={"service": service})


async def partitions_to_read(node: Node, service: str, count: int) -> list[str]:
    """The partitions of a service to read; also those that it had last week, so that nothing is left there."""
    most = max(count, _partitions(await _beats(node, service)))
    return [partition_of(service, number) for number in range(most)]


async def live_actions(node: Node, service: str, link: Link | None = None) -> frozenset[str]:
    """The actions that live instances of a service have; `link`: the connection to use, in another thread."""
    return _live(await _beats(node, service, link), node.clock.now() - node.timings.live * 1000) - {""}


def _live(beats: Mapping[str, float], since: float) -> frozenset[str]:
    if LEFT in beats:
        return frozenset()
    return frozenset[str]().union(*(_actions(name) for name, beat in beats.items() if beat >= since))


async def _beats(node: Node, service: str, link: Link | None = None) -> dict[str, float]:
    """The last heartbeat of each member of the registry, in ms of the server's clock."""
    found = await (link or node.link).execute("ZRANGE", serving_registry(service), 0, -1, "WITHSCORES")
    flat = cast("list[bytes]", found)
    return {name.decode(errors="replace"): float(beat) for name, beat in zip(flat[::2], flat[1::2], strict=True)}


def _actions(member: str) -> Iterable[str]:
    """The actions that a member of the registry stands for: the actions of a list, or the service itself."""
    if member.startswith("["):
        with suppress(msgspec.MsgspecError):
            return _decode_actions(member)
    return () if member else ("",)


def _partitions(beats: Mapping[str, float]) -> int:
    counts = [int(name[1:]) for name in beats if name[:1] == ":" and name[1:].isdecimal() and len(name) < 6]
    return min(MAX_PARTITIONS, max([1, *counts]))


def _no_such_action(service: str, action: str, actions: frozenset[str]) -> NoSuchAction:
    names = sorted(actions - {""})
    hint = did_you_mean(action, names, f"it has: {', '.join(names) or 'none'}")
    return NoSuchAction(
        f"The service {service!r} has no action {action!r}; {hint}", details={"service": service, "actions": names}
    )
