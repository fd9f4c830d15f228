"""The contracts of actions as a caller has them, and what has changed for it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .changes import Change
from .comparing import compare
from .contracts import Call, Contracts
from .reading import ShapeReader
from .shapes import Plain

__all__ = ["Called", "describe_calls", "outdated"]

_ANYTHING, _NOTHING = Plain("anything"), Plain("null")


class Called(msgspec.Struct, frozen=True):
    """An action as a caller has it.

    Attributes:
        name: Its name.
        takes: The type of the payload; ``NoneType``: none.
        gives: The type of the answer, or of each item of a stream; ``NoneType``: none.
        streams: Whether the answer is a stream.
    """

    name: str
    takes: object
    gives: object
    streams: bool


def describe_calls(service: str, calls: Sequence[Called]) -> Contracts:
    """The contracts of some actions of a service, without what only the service knows."""
    shapes = ShapeReader()
    actions = {each.name: Call(shapes.read(each.takes), shapes.read(each.gives), each.streams) for each in calls}
    return Contracts(format="daebus-contracts-1", service=service, actions=actions, records=shapes.records)


def outdated(service: str, calls: Sequence[Called], now: Contracts) -> Sequence[Change]:
    """What breaks the callers of some actions, as the service has changed since their contracts were written.

    Args:
        service: The name of the service.
        calls: The actions as the callers have them. Types that are any JSON are not compared.
        now: The contracts of the service.
    """
    known = describe_calls(service, calls)
    before, after = dict(known.actions), dict(now.actions)
    for name, call in known.actions.items():
        if (current := now.actions.get(name)) is not None:
            before[name], after[name] = _comparable(call, current)
    changes = compare(
        msgspec.structs.replace(known, actions=before), msgspec.structs.replace(now, service=service, actions=after)
    )
    return [change for change in changes if change.is_breaking]


def _comparable(call: Call, now: Call) -> tuple[Call, Call]:
    """The action of a caller, and as it is now: without what the caller does not say of it."""
    if _ANYTHING in (call.takes, call.gives):
        return Call(_NOTHING, _NOTHING, call.streams), Call(_NOTHING, _NOTHING, now.streams)
    return call, Call(now.takes, now.gives, now.streams)
