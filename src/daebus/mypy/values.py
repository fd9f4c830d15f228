"""Arguments of decorators whose values mypy knows: names, schedules, limits, the doors of actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from mypy.nodes import CallExpr, Context, Expression, RefExpr

from daebus.declare.options import stray_in
from daebus.declare.paths import BODILESS, METHODS, malformed_path, path_parameters
from daebus.declare.schedules import Cron, Interval
from daebus.mistakes.suggestions import closest
from daebus.mypy.model.data import fields_of
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.kinds import CONTEXT
from daebus.mypy.model.reading import keyword, number, text
from daebus.mypy.model.reports import PATH, SIGNATURE, VALUE, remember, report, show

from .routes import can_be_in_path

__all__ = ["check_values"]

_NAMED = {"action": "name", "listen": "channel", "socket": "message_type", "background": "name", "thread": "name"}
_WITH_COLONS = ("listen", "socket")
_SECONDS, _FIELDS = "give seconds above 0", "give five fields, such as '0 3 * * *'"


def check_values(handler: Handler) -> None:
    """Report names, schedules and limits that the registration refuses."""
    name, call = handler.decoration.name, handler.call
    named = keyword(call, _NAMED[name], 0) if name in _NAMED else None
    value = text(handler.api, named)
    found = None if value is None else stray_in(value, colons=name in _WITH_COLONS)
    if named is not None and found is not None:
        remedy = f'write @{name}("the_name")' if not value else "write it as one word, such as get_user or get-user"
        report(handler.api, VALUE, named, handler.name, found.replace("'", '"'), remedy)
    if name == "action":
        concurrency = keyword(call, "concurrency")
        limit = number(concurrency)
        if concurrency is not None and limit is not None and limit < 1:
            found = f"concurrency={limit:g}, and it must be at least 1"
            report(handler.api, VALUE, concurrency, handler.name, found, "leave it out for the default")
        _check_doors(handler)
    elif name == "background":
        _check_schedule(handler)


def _check_schedule(handler: Handler) -> None:
    call = handler.call
    seconds, every, cron = keyword(call, "seconds", 1), keyword(call, "every"), keyword(call, "cron")
    interval, expression = number(seconds) if every is None else _seconds(every), text(handler.api, cron)
    if interval is not None:
        _try(handler, lambda: Interval(interval), seconds or every or call, _SECONDS)
    if expression is not None:
        _try(handler, lambda: Cron(expression), cron or call, _FIELDS)


def _try(handler: Handler, make: Callable[[], object], at: Context, remedy: str) -> None:
    try:
        make()
    except ValueError as error:
        found, _, advice = str(error).rstrip(".").partition(": ")
        remedy = advice if advice.startswith("give") else remedy
        report(handler.api, VALUE, at, handler.name, found[:1].lower() + found[1:], remedy)


def _seconds(expression: Expression) -> float | None:
    """The seconds of a ``timedelta(...)`` whose arguments are literals."""
    if not isinstance(expression, CallExpr) or not isinstance(expression.callee, RefExpr):
        return None
    if expression.callee.fullname != "datetime.timedelta":
        return None
    given = {name: number(arg) for name, arg in zip(expression.arg_names, expression.args, strict=True) if name}
    numbers = {name: value for name, value in given.items() if value is not None}
    return timedelta(**numbers).total_seconds() if len(numbers) == len(expression.args) else None


def _check_doors(handler: Handler) -> None:
    """Report doors of an action that its payload does not fit."""
    for option in ("http", "sse", "socket"):
        at = keyword(handler.call, option)
        if at is None:
            continue
        if handler.streams != (option == "sse") and not handler.is_opaque:
            what, other = ("streams its replies", "sse") if handler.streams else ("has a single reply", "http")
            found = f"the action {what}, so it has no door {option}="
            report(handler.api, SIGNATURE, at, handler.name, found, f'write {other}="GET /the/path"')
        value = text(handler.api, at) if option != "socket" else None
        if value is not None:
            _check_door(handler, at, option, value)


def _check_door(handler: Handler, at: Expression, option: str, value: str) -> None:
    method, _, path = value.partition(" ")
    if not method.isalpha() or not path:
        found = f'"{value}" is not a method and a path'
        report(
            handler.api, PATH, at, handler.name, found, f'write {option}="GET {value if value[:1] == "/" else "/x"}"'
        )
    elif method.upper() not in METHODS:
        found = f"{method} is not an HTTP method that can be routed"
        report(handler.api, PATH, at, handler.name, found, f"use one of {', '.join(METHODS)}")
    elif (malformed := malformed_path(path)) is not None:
        report(handler.api, PATH, at, handler.name, *malformed)
    else:
        for found, remedy in _unfitting(handler, method.upper(), path):
            report(handler.api, PATH, at, handler.name, found, remedy)


def _unfitting(handler: Handler, method: str, path: str) -> Iterator[tuple[str, str]]:
    """The parameters of a path that the payload does not have, and the fields that no request can have."""
    names = path_parameters(path)
    payload = next((one for one in handler.left if not one.is_a(CONTEXT)), None)
    if payload is None:
        for name in names:
            yield f"the path has <{name}>, but the action takes no payload", f"remove <{name}>"
        return
    kind = handler.decoration.contract[0] if handler.decoration.contract else payload.type
    shown = show(handler.api, kind)
    fields = {payload.name: kind} if can_be_in_path(kind) else fields_of(kind)
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
        if name not in names and fields_of(typ) is not None:
            found = f'a {method} request has no body, and "{name}", a {show(handler.api, typ)}, fits in no query string'
            yield found, f'use a method with a body: "POST {path}"'
