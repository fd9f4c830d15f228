"""The module with the contracts of an app."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from types import NoneType
from typing import Any, NamedTuple, TypeGuard, cast

from daebus.declare.contracts import Action, Channel, Contract, Message, StreamAction
from daebus.declare.rooms import Room
from daebus.export.contracts import AppContracts, Handled, is_channel
from daebus.export.models import Models
from daebus.payloads.encodable import Encodable
from daebus.payloads.naming import numbered

from .declarations import classes, docstring, field_names
from .types import Annotations
from .values import expression, quoted

__all__ = ["Documented", "documented", "python"]

_IMPORTS = (
    ("builtins", "import builtins"),
    ("dt", "import datetime as dt"),
    ("dataclasses", "from dataclasses import {}", "dataclass", "field"),
    ("decimal", "from decimal import {}", "Decimal"),
    ("enum", "from enum import {}", "Enum", "IntEnum", "StrEnum"),
    ("typing", "from typing import {}", "Annotated", "Literal", "NamedTuple", "NotRequired", "TypedDict"),
    ("uuid", "from uuid import {}", "UUID"),
)
_MSGSPEC = (("msgspec", "import msgspec"), ("", "from msgspec import {}", "UNSET", "Meta", "UnsetType"))
_DAEBUS = (("", "from daebus import {}", "Action", "Channel", "Message", "Room", "StreamAction"),)
_RESERVED = frozenset(name for _, _, *names in (*_IMPORTS, *_MSGSPEC, *_DAEBUS) for name in names)
_WRITTEN = "Written by `daebus export python`: changes are lost with the next export."
_WORD = re.compile(r"[A-Za-z0-9]+")
_KINDS: tuple[type[Contract], ...] = (Action, StreamAction, Channel, Message, Room)


class Documented(NamedTuple):
    """A contract, and what is said of it."""

    contract: Contract
    text: str


def documented(contracts: AppContracts) -> Sequence[Documented]:
    """The contracts of an app: its actions, the channels that it hears or publishes on, its messages and its rooms."""
    found = [_action(contracts.service, handled) for handled in contracts.actions]
    for listened in contracts.listeners:
        kind = cast("Any", Channel)[listened.event]
        contract = listened.contract or kind(listened.channel)
        found.append(Documented(contract, ""))
    found += [Documented(channel, "") for channel in contracts.publishes]
    found += [Documented(message, "") for message in contracts.sends]
    found += [Documented(room, handled.about.text) for room, handled in contracts.rooms]
    return list({one.contract: one for one in reversed(found)}.values())[::-1]


def _action(service: str, handled: Handled) -> Documented:
    kind = cast("Any", StreamAction if handled.streams else Action)[handled.takes, handled.gives]
    return Documented(kind(handled.name, service=service), handled.about.text)


def python(service: str, contracts: Iterable[Documented]) -> str:
    """The text of the module.

    Args:
        service: The name of the service.
        contracts: The contracts.
    """
    given = list(contracts)
    models = Models([kind for one in given for kind in one.contract.types], _RESERVED)
    annotations = Annotations(models, field_names(models))
    names = _constants(given, models)
    parts = ["\n\n" + text for text in classes(models, annotations)]
    values = [_constant(name, one, annotations) for name, one in zip(names, given, strict=True)]
    body = f"{''.join(parts)}\n\n{chr(10).join(values)}"
    used = set(re.findall(r"\w+", body))
    groups = ["".join(_import(one, used) for one in group) for group in (_IMPORTS, _MSGSPEC, _DAEBUS)]
    imports = "\n".join(group for group in groups if group)
    head = docstring(f"The contracts of `{service}`.\n\n{_WRITTEN}", indent="")
    return f"{head}\nfrom __future__ import annotations\n\n{imports}{body}"


def _import(row: tuple[str, ...], used: set[str]) -> str:
    key, text, *names = row
    if not names:
        return f"{text}\n" if key in used else ""
    found = [name for name in names if name in used]
    return f"{text.format(', '.join(found))}\n" if found else ""


def _constants(given: Sequence[Documented], models: Models) -> list[str]:
    """The names of the constants, each once: where a name is taken, the kind is a part of it."""
    names = ["_".join(_WORD.findall(one.contract.name.partition("{")[0])).upper() for one in given]
    taken, made = {*models.named, *_RESERVED}, list[str]()
    for name, one in zip(names, given, strict=True):
        kind = _kind(one.contract).upper()
        wanted = name if name[:1].isalpha() else f"{kind}_{name}"
        chosen = next(free for free in _tries(wanted, kind) if free not in taken)
        taken.add(chosen)
        made.append(chosen)
    return made


def _tries(name: str, kind: str) -> Iterator[str]:
    yield name
    yield from numbered(f"{name}_{kind}", "{}_{}")


def _kind(contract: Contract) -> str:
    return next(kind.__name__ for kind in _KINDS if isinstance(contract, kind))


def _constant(name: str, one: Documented, annotations: Annotations) -> str:
    contract = one.contract
    kinds = ", ".join("None" if kind is NoneType else annotations.of(kind) for kind in contract.types)
    options = {} if contract.service is None else {"service": quoted(contract.service)}
    if is_channel(contract):
        options |= _channel(contract)
    elif _is_room(contract):
        options |= _room(contract, annotations.models)
    given = "".join(f", {option}={value}" for option, value in options.items())
    return f"{name} = {_kind(contract)}[{kinds}]({quoted(contract.name)}{given})\n{docstring(one.text, indent='')}"


def _is_room(contract: Contract) -> TypeGuard[Room[Encodable]]:
    return isinstance(contract, Room)


def _channel(channel: Channel[Encodable]) -> dict[str, str]:
    """The options of a channel; a plain one has none."""
    keep = {"keep": repr(channel.keep)} if channel.keep else {}
    return {"durable": "True", "retention": repr(channel.retention), **keep} if channel.durable else {}


def _room(room: Room[Encodable], models: Models) -> dict[str, str]:
    """The options of a room, except those with their default."""
    keep = expression(room.keep, models)
    usual = Room[None](room.name)
    options = {"history": repr(room.history), "keep": keep, "history_bytes": repr(room.history_bytes)}
    given = {name: value for name, value in options.items() if getattr(room, name) != getattr(usual, name)}
    return given | ({"latest": "True"} if room.latest else {})
