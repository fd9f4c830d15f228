"""Probable mistakes in an app as a whole: an app that serves nothing, a misspelt channel."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import cast

from daebus.asgi.settings import DaebusHttp
from daebus.declare.contracts import Channel
from daebus.declare.deferring import has_deferred
from daebus.declare.specs import ListenSpec, Spec
from daebus.mistakes.places import made_at, unwrap
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.payloads.encodable import Encodable
from daebus.wiring.resources import resources_in_order

from .container import ServiceContainer

__all__ = ["find_idle", "find_misspelt_channels"]

_SERVING = ("route_handlers", "plugins", "lifespan", "on_startup")
_ALIKE = 0.85
_SHORTEST = 4


def find_idle(
    specs: Sequence[Spec], container: ServiceContainer, http: DaebusHttp | None, *, name: str, place: str
) -> Iterator[WiringProblem]:
    """An app without handlers and without anything else that does work, such as a resource or Litestar options.

    It is no mistake while others are kept: they may be those of its handlers.
    """
    if specs or has_deferred() or any(resources_in_order(container.providers.values())):
        return
    if http is not None and any(http.litestar.get(option) for option in _SERVING):
        return
    yield WiringProblem(
        place,
        f"Daebus({name!r})",
        "it has no handlers, so it would do nothing",
        "register a blueprint, app.register_blueprint(users), or decorate a handler of the app itself",
        code="no-handlers",
    )


def find_misspelt_channels(specs: Sequence[Spec]) -> Iterator[WiringProblem]:
    """Listeners of a channel whose name, given as a string, is almost the name of another channel of the app.

    This is only a warning: both channels may exist.
    """
    listeners = [spec for spec in specs if isinstance(spec, ListenSpec)]
    known = _contracts(specs)
    for spec in listeners:
        if spec.contract is not None or spec.channel in known:
            continue
        others = {**known, **{other.channel: other.place for other in listeners if other.channel != spec.channel}}
        close = next((name for name in sorted(others) if _is_alike(spec.channel, name)), None)
        if close is None or (close not in known and spec.channel > close):  # one warning for each pair of names
            continue
        place = others[close]
        yield spec.problem(
            f"no other handler of the app uses the channel {spec.channel!r}; a similar one is {close!r}",
            f"if {close!r} is meant, write it, or better, pass the Channel contract",
            code="misspelt-channel",
            notes=[] if place is None else [Note(f"the channel {close!r}", place)],
        )


def _contracts(specs: Sequence[Spec]) -> dict[str, str | None]:
    """The channel contracts in the modules of the handlers, and where they were created."""
    spaces = {id(space): space for spec in specs if (space := getattr(unwrap(spec.function), "__globals__", None))}
    values: list[object] = [value for space in spaces.values() for value in list(space.values())]
    channels = [cast("Channel[Encodable]", value) for value in values if isinstance(value, Channel)]
    return {channel.name: made_at(channel) for channel in channels}


def _is_alike(one: str, other: str) -> bool:
    """Whether two names differ by a typing error, and not only by case or by a number, as names of shards do."""
    if min(len(one), len(other)) < _SHORTEST or re.sub(r"\d+", "", one) == re.sub(r"\d+", "", other):
        return False
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio() >= _ALIKE
