"""What is probably a mistake in an app as a whole: an app that serves nothing, a channel that is misspelt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import cast

from daebus.asgi.settings import DaebusHttp
from daebus.declare.contracts import Channel
from daebus.declare.specs import ListenSpec, Spec
from daebus.mistakes.places import made_at, unwrap
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.wiring.resources import resources_in_order

from .container import ServiceContainer

__all__ = ["find_idle", "find_misspelt_channels"]

_SERVING = ("route_handlers", "plugins", "lifespan", "on_startup")
_ALIKE = 0.85
_SHORTEST = 4


def find_idle(
    specs: Sequence[Spec], container: ServiceContainer, http: DaebusHttp | None, *, name: str, place: str
) -> Iterator[WiringProblem]:
    """An app that has no handler, and nothing else that could do something: no resource, nothing of Litestar's own."""
    if specs or any(resources_in_order(container.providers.values())):
        return
    if http is not None and any(http.litestar.get(option) for option in _SERVING):
        return
    yield WiringProblem(
        place,
        f"Daebus({name!r})",
        "it has no handler, so that it would do nothing",
        "register a blueprint, app.register_blueprint(users), or decorate a handler of the app itself",
        code="no-handlers",
    )


def find_misspelt_channels(specs: Sequence[Spec]) -> Iterator[WiringProblem]:
    """Listeners whose channel is named by a string that is almost that of another channel of the app.

    It is a doubt, no mistake: there may be a channel of either name.
    """
    listeners = [spec for spec in specs if isinstance(spec, ListenSpec)]
    known = _contracts(specs)
    for spec in listeners:
        if spec.contract is not None or spec.channel in known:
            continue
        others = {**known, **{other.channel: other.place for other in listeners if other.channel != spec.channel}}
        close = next((name for name in sorted(others) if _is_alike(spec.channel, name)), None)
        if close is None or (close not in known and spec.channel > close):  # of two names one doubt
            continue
        place = others[close]
        yield spec.problem(
            f"nothing else in the app knows a channel {spec.channel!r}, and it is almost {close!r}",
            f"if that is meant, write {close!r}, or better, give the Channel value",
            code="misspelt-channel",
            notes=[] if place is None else [Note(f"the channel {close!r}", place)],
        )


def _contracts(specs: Sequence[Spec]) -> dict[str, str | None]:
    """The channels that the modules of the handlers know as contracts, and where they were made."""
    spaces = {id(space): space for spec in specs if (space := getattr(unwrap(spec.function), "__globals__", None))}
    values: list[object] = [value for space in spaces.values() for value in list(space.values())]
    channels = [cast("Channel[object]", value) for value in values if isinstance(value, Channel)]
    return {channel.name: made_at(channel) for channel in channels}


def _is_alike(one: str, other: str) -> bool:
    """Whether two names differ by a slip, and not by a number, as those of shards do, or by their case alone."""
    if min(len(one), len(other)) < _SHORTEST or re.sub(r"\d+", "", one) == re.sub(r"\d+", "", other):
        return False
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio() >= _ALIKE
