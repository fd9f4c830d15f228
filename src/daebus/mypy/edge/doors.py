"""The doors of actions: their methods, their paths, and the payload that a request must be able to have."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.nodes import Expression
from mypy.types import Instance, NoneType, ProperType

from daebus.declare.options import wrong_resumption
from daebus.declare.paths import (
    BODILESS,
    WITHOUT_BODY,
    malformed_path,
    path_parameters,
    split_door,
    wrong_door,
    wrong_method,
)
from daebus.mistakes.suggestions import closest
from daebus.mypy.model.data import fields_of
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.kinds import CONTEXT
from daebus.mypy.model.reading import keyword, number, text
from daebus.mypy.model.reports import PATH, SIGNATURE, remember, report, show
from daebus.mypy.routes import can_be_in_path

__all__ = ["check_doors"]


def check_doors(handler: Handler) -> None:
    """Report doors of an action that its payload or its reply does not fit."""
    for option in ("http", "sse", "socket"):
        at = keyword(handler.call, option)
        if at is None:
            continue
        if option != "socket" and handler.streams != (option == "sse") and not handler.is_opaque:
            what, other = ("streams its replies", "sse") if handler.streams else ("has a single reply", "http")
            found = f"the action {what}, so it has no door {option}="
            report(handler.api, SIGNATURE, at, handler.name, found, f'write {other}="GET /the/path"')
        value = text(handler.api, at) if option != "socket" else None
        if value is not None:
            _check_door(handler, at, option, value)
    _check_status(handler)
    payload = _payload_of(handler)
    _check_field(handler, "event_id", handler.returns)
    _check_field(handler, "resume", payload[1] if payload is not None else None)


def _check_field(handler: Handler, option: str, owner: ProperType | None) -> None:
    """Report the name of a field that the items, or the payload, do not have."""
    at = keyword(handler.call, option)
    name, fields = text(handler.api, at), None if owner is None else fields_of(owner)
    door = text(handler.api, keyword(handler.call, "sse"))
    if at is not None and name is not None and door is not None:
        wrong = wrong_resumption(option, name, door)
        if wrong is not None and wrong_door("sse", door) is None:
            found, remedy = (part.replace("'", '"') for part in wrong)
            report(handler.api, PATH, at, handler.name, found, remedy)
            return
    if at is None or name is None or owner is None or fields is None:
        return
    remember(handler.api, (), [owner])
    if name not in fields:
        close = closest(name, fields)
        remedy = f"it has {', '.join(fields)}" if close is None else f'did you mean "{close}"?'
        found = f'{option}="{name}", but {show(handler.api, owner)} has no such field'
        report(handler.api, PATH, at, handler.name, found, remedy)


def _payload_of(handler: Handler) -> tuple[str, ProperType] | None:
    """The name and the type of the payload; None: the handler takes none."""
    payload = next((one for one in handler.left if not one.is_a(CONTEXT)), None)
    if payload is None:
        return None
    return payload.name, handler.decoration.contract[0] if handler.decoration.contract else payload.type


def _check_status(handler: Handler) -> None:
    at = keyword(handler.call, "status_code")
    status = number(at)
    if at is not None and status in WITHOUT_BODY and not isinstance(handler.returns, NoneType):
        found = f"an answer with status {status:g} has no body, and it returns {show(handler.api, handler.returns)}"
        report(handler.api, PATH, at, handler.name, found, "write -> None, or choose another status")


def _check_door(handler: Handler, at: Expression, option: str, value: str) -> None:
    method, path = split_door(value)
    wrong = wrong_door(option, value) or wrong_method(method) or malformed_path(path)
    if wrong is not None:
        found, remedy = (part.replace("'", '"') for part in wrong)
        report(handler.api, PATH, at, handler.name, found, remedy)
        return
    for found, remedy in _unfitting(handler, method, path):
        report(handler.api, PATH, at, handler.name, found, remedy)


def _unfitting(handler: Handler, method: str, path: str) -> Iterator[tuple[str, str]]:
    """The parameters of a path that the payload does not have, and the fields that no request can have."""
    names = path_parameters(path)
    payload = _payload_of(handler)
    if payload is None:
        for name in names:
            yield f"the path has <{name}>, but the action takes no payload", f"remove <{name}>"
        return
    called, kind = payload
    shown = show(handler.api, kind)
    fields = {called: kind} if can_be_in_path(kind) or _is_mapping(kind) else fields_of(kind)
    if fields is None:
        return
    remember(handler.api, (), [kind])
    for name in names:
        if name not in fields:
            close = closest(name, [other for other in fields if other not in names])
            remedy = f'add the field "{name}" to it' if close is None else f"did you mean <{close}>?"
            yield f'the path has <{name}>, but the payload {shown} has no field "{name}"', remedy
        elif not can_be_in_path(fields[name]):
            typed = show(handler.api, fields[name])
            yield f"the path has <{name}>, which is text, and a {typed} cannot be read from it", "take it in a body"
    for name, typ in fields.items() if method in BODILESS else ():
        if name not in names and (_is_mapping(typ) or fields_of(typ) is not None):
            typed = show(handler.api, typ)
            found = f'a {method} request has no body, and "{name}", a {typed}, cannot be read from a query string'
            yield found, f'use a method with a body: "POST {path}"'


def _is_mapping(typ: ProperType) -> bool:
    return isinstance(typ, Instance) and typ.type.has_base("typing.Mapping")
