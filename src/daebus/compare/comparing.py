"""The comparison of all contracts of a service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from .changes import Change, Direction
from .contracts import Access, Call, Contracts, Event, Input, RoomJoin, Route
from .rules import Comparison
from .shapes import OneOf, Plain, Shape

__all__ = ["compare"]

_NOTHING = Plain("null")

K = TypeVar("K")
V = TypeVar("V")


def compare(old: Contracts, new: Contracts) -> Sequence[Change]:
    """All changes between two contracts of a service, those that break somebody first."""
    found = list(_Contracts(old, new).changes())
    return sorted(found, key=lambda change: not change.is_breaking)


class _Contracts:
    def __init__(self, old: Contracts, new: Contracts) -> None:
        self._old, self._new = old, new

    def changes(self) -> Iterator[Change]:
        old, new = self._old, self._new
        if old.service != new.service:
            why = "callers ask for the service by its name"
            yield _breaking("the service", f"{old.service!r} became {new.service!r}", why, "leave the name as it was")
        for name, before, now in _pairs(old.actions, new.actions):
            yield from self._call(f"action {name}", before, now)
        for name, one, other in _pairs(old.routes, new.routes):
            yield from self._route(f"route {name}", one, other)
        for name, first, second in _pairs(old.listens, new.listens):
            yield from self._event(f"listen {name}", first, second, "received")
        for name, first, second in _pairs(old.publishes, new.publishes):
            yield from self._event(f"publish {name}", first, second, "given")
        yield from self._socket()

    def _socket(self) -> Iterator[Change]:
        old, new = self._old, self._new
        if old.socket is not None and old.socket != new.socket:
            change = "it is removed" if new.socket is None else f"its path was {old.socket}, and is {new.socket}"
            yield _breaking("the WebSocket", change, "clients cannot connect", "leave the path as it was")
        if new.connect is not None:
            before = old.connect or Call(_NOTHING, _NOTHING)
            yield from self._call("socket_connect", before, new.connect, optional=old.connect is None)
        for name, one, other in _pairs(old.messages, new.messages):
            yield from self._call(f"socket {name}", one, other)
        for _, room, other_room in _pairs(old.rooms, new.rooms):
            yield from self._room(room, other_room)
        for name, shape, now in _pairs(old.sends, new.sends):
            if shape is not None and now is not None:
                yield from self._shapes(shape, now, f"message {name}", "given")
            else:
                yield Change(f"message {name}", "it is no longer sent" if now is None else "it is new")

    def _call(self, place: str, old: Call | None, new: Call | None, *, optional: bool = False) -> Iterator[Change]:
        if old is None or new is None:
            yield _come_or_gone(place, is_gone=new is None)
            return
        yield from _access(place, old.access, new.access)
        if old.streams != new.streams:
            change = f"its answer is {'a stream' if new.streams else 'one reply'} now"
            yield _breaking(place, change, "callers expect the other form", "add an action of another name")
        if old.is_tool and not new.is_tool:
            why = "assistants no longer find it among the tools"
            yield _breaking(place, "it is no longer open to assistants", why, "keep tool=True")
        elif new.is_tool and not old.is_tool:
            yield Change(place, "it is open to assistants now")
        if not optional and new.takes != _NOTHING:  # a payload that nobody takes is ignored
            yield from self._shapes(old.takes, new.takes, f"{place}, request", "received")
        yield from self._shapes(old.gives, new.gives, f"{place}, reply", "given")

    def _room(self, old: RoomJoin | None, new: RoomJoin | None) -> Iterator[Change]:
        if old is None or new is None:
            for one in (old, new):
                if one is not None:
                    yield _come_or_gone(f"room {one.name}", is_gone=new is None)
            return
        place = f"room {new.name}"
        yield from _renamed(f"{place}, parameter", old.parameters, new.parameters)
        yield from _kept(place, old, new)
        yield from self._call(place, old.join, new.join)

    def _route(self, place: str, old: Route | None, new: Route | None) -> Iterator[Change]:
        if old is None or new is None:
            yield _come_or_gone(place, is_gone=new is None)
            return
        yield from _access(place, old.access, new.access)
        if old.status != new.status:
            change = f"the status of a success was {old.status}, and is {new.status}"
            yield _breaking(place, change, "clients may look for the status", "leave the status as it was")
        if old.streams != new.streams:
            change = f"its answer is {'server-sent events' if new.streams else 'one answer'} now"
            yield _breaking(place, change, "clients expect the other form", "add a route with another path")
        yield from _resumed(place, old, new)
        before, now = ({(one.place, one.name): one for one in route.inputs} for route in (old, new))
        for key, one, other in _pairs(before, now):
            yield from self._input(f"{place}, {_named(*key)}", one, other)
        yield from _renamed(f"{place}, path parameter", old.parameters, new.parameters)
        yield from self._shapes(old.gives, new.gives, f"{place}, answer", "given")
        for error in old.errors:
            if error not in new.errors:
                yield Change(place, f"{error} is no longer in raises=: generated clients may lose its class")
        for error in new.errors:
            if error not in old.errors:
                yield Change(place, f"{error} is in raises= now")

    def _input(self, place: str, old: Input | None, new: Input | None) -> Iterator[Change]:
        if old is None and new is not None:
            if new.is_required:
                yield _breaking(place, "it is new and required", "clients do not send it", "give it a default")
            else:
                yield Change(place, "it is new")
        elif new is None:
            yield Change(place, "it is removed, and ignored if it is sent")
        elif old is not None:
            if new.is_required and not old.is_required:
                why = "clients that leave it out are refused"
                yield _breaking(place, "it is required now", why, "keep a default")
            yield from self._shapes(old.shape, new.shape, place, "received", as_text=new.place != "body")

    def _event(self, place: str, old: Event | None, new: Event | None, direction: Direction) -> Iterator[Change]:
        if old is None or new is None:
            gone = "the service no longer takes part" if new is None else "it is new"
            yield Change(place, gone)
            return
        if old.durable != new.durable:
            change = f"the channel is {'durable' if new.durable else 'no longer durable'} now"
            why = "publishers and listeners with the other kind of channel do not reach each other"
            yield _breaking(place, change, why, "use a channel of another name")
        before = old.shapes[0] if len(old.shapes) == 1 else OneOf(old.shapes)
        for shape in new.shapes:
            # Listeners skip events of a union whose tag they do not know.
            yield from self._shapes(before, shape, f"{place}, event", direction, skips_tags_at=f"{place}, event")

    def _shapes(
        self,
        old: Shape,
        new: Shape,
        place: str,
        direction: Direction,
        skips_tags_at: str = "",
        *,
        as_text: bool = False,
    ) -> Iterator[Change]:
        comparison = Comparison(self._old.records, self._new.records, direction, skips_tags_at, as_text)
        comparison.compare(old, new, place)
        yield from comparison.changes


def _pairs(old: Mapping[K, V], new: Mapping[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """What is under each name, before and now."""
    for name in [*old, *(name for name in new if name not in old)]:
        yield name, old.get(name), new.get(name)


def _breaking(place: str, change: str, why: str, remedy: str) -> Change:
    return Change(place, change, is_breaking=True, why=why, remedy=remedy)


def _come_or_gone(place: str, *, is_gone: bool) -> Change:
    if not is_gone:
        return Change(place, "it is new")
    remedy = "keep it until nobody calls it, and mark it as deprecated"
    return _breaking(place, "it is removed", "callers that use it are refused", remedy)


def _access(place: str, old: Access, new: Access) -> Iterator[Change]:
    if new.needs_user and not old.needs_user:
        remedy = "take the user as `User | None`, and serve strangers until all callers log in"
        yield _breaking(place, "strangers are refused now", "callers without credentials are refused", remedy)
    elif old.needs_user and not new.needs_user:
        yield Change(place, "strangers are served now")
    if new.guards and not old.guards:
        remedy = "log whom the guard would refuse, before it does"
        yield _breaking(place, f"it requires {', '.join(new.guards)} now", "callers may be refused", remedy)


def _kept(place: str, old: RoomJoin, new: RoomJoin) -> Iterator[Change]:
    """What has changed in the messages that a room keeps."""
    for option, before, now in (
        ("history", old.history, new.history),
        ("keep", old.keep, new.keep),
        ("history_bytes", old.history_bytes, new.history_bytes),
        ("latest", old.latest, new.latest),
    ):
        if before != now:
            yield Change(place, f"{option} was {before}, and is {now}")


def _resumed(place: str, old: Route, new: Route) -> Iterator[Change]:
    """What has changed for clients of server-sent events that come back."""
    if not (old.streams and new.streams):
        return
    if old.event_id is not None and old.event_id != new.event_id:
        now = "its events have no id now" if new.event_id is None else f"the id of its events is {new.event_id} now"
        why = "clients that come back have the id of before, and lose events"
        yield _breaking(place, now, why, f"keep event_id={old.event_id!r}")
    elif old.event_id != new.event_id:
        yield Change(place, "its events have an id now")
    if old.resumes and not new.resumes:
        why = "the stream begins anew for clients that come back, which lose events"
        yield _breaking(place, "it no longer resumes", why, "keep resume=")
    elif new.resumes and not old.resumes:
        yield Change(place, "it resumes now")


def _renamed(place: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    """The changes of names that are not in requests, where only their order is."""
    for number, (before, now) in enumerate(zip(old, new, strict=True), 1):
        if before != now:
            yield Change(f"{place} {number}", f"its name was {before}, and is {now}: only generated clients have it")


def _named(place: str, name: str) -> str:
    return "body" if place == "body" else f"{place} parameter {name}"
