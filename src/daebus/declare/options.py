"""Checks of names and options given by users: a value that can never work is refused at the call."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias, cast

from daebus.errors import WiringError
from daebus.mistakes.places import caller_place
from daebus.mistakes.problem import Code, WiringProblem

from .schedules import Schedule, make_schedule

__all__ = [
    "RESERVED_TYPES",
    "ROOM_NOTICES",
    "Guard",
    "Requires",
    "read_guards",
    "read_several",
    "read_tool",
    "refuse",
    "refuse_reserved",
    "require_brackets",
    "require_choice",
    "require_count",
    "require_counts",
    "require_function",
    "require_methods",
    "require_name",
    "require_schedule",
    "require_seconds",
    "stray_in",
    "wrong_resumption",
]

Guard: TypeAlias = Callable[..., bool]
"""A function of the user and of values of the message. It returns whether the message may be handled."""

Requires: TypeAlias = Guard | Sequence[Guard]
"""One or several guards, which must all agree."""

RESERVED_TYPES = ("response", "error")
"""The types under which WebSocket clients get the answers to their messages."""

ROOM_NOTICES = ("offset", "presence", "recovered", "removed")
"""The types of the messages about rooms that WebSocket clients get without asking."""

_SCHEDULES = "give seconds, or every=timedelta(...), or cron= with five fields, such as '0 3 * * *'"

_TOOL = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_STRAY = re.compile(r"[\s{}\x00-\x1f\x7f]")
_STRAY_OR_COLON = re.compile(r"[\s{}\x00-\x1f\x7f:]")


def refuse(subject: str, found: str, remedy: str, code: Code) -> WiringError:
    """An error that points at the current call in the user's code."""
    return WiringError(WiringProblem(caller_place(), subject, found, remedy, code=code))


def stray_in(name: str, *, colons: bool) -> str | None:
    """Why a name cannot be part of a Redis key, as one sentence; None if it can.

    Args:
        name: The name.
        colons: Whether it may have colons, which separate the parts of a key.
    """
    stray = (_STRAY if colons else _STRAY_OR_COLON).search(name)
    if stray is not None:
        return f"the name {name!r} contains {stray[0]!r}, and the name is part of keys in Redis"
    return None if name else "the name is empty"


def require_name(subject: str, name: object, *, colons: bool = False) -> None:
    """Require a name that can be part of a Redis key. Raises `WiringError`."""
    found = stray_in(name, colons=colons) if isinstance(name, str) else f"the name is {name!r}"
    if found is not None:
        remedy = "write it as one word, such as 'get_user' or 'get-user'"
        raise refuse(subject, found, remedy, "wrong-name")


def refuse_reserved(subject: str, message_type: str) -> None:
    """Refuse the types of the answers to WebSocket clients as the type of a message. Raises `WiringError`."""
    if message_type in RESERVED_TYPES:
        found = f"the type {message_type!r} is reserved for the answers to clients"
        raise refuse(subject, found, "give the message another name", "reserved-name")


def require_count(subject: str, option: str, given: object, *, or_zero: bool = False, most: int | None = None) -> None:
    """Require an integer of at least 1, or of at least 0 with `or_zero`. Raises `WiringError`."""
    least = 0 if or_zero else 1
    if not isinstance(given, int) or isinstance(given, bool) or given < least or (most is not None and given > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        found = f"{option}={given!r}, which must be a whole number {limits}"
        raise refuse(subject, found, "correct it, or leave it out for the default", "wrong-option")


def require_counts(subject: str, **given: object) -> None:
    """Require that each option is an integer of at least 1. Raises `WiringError`."""
    for option, count in given.items():
        require_count(subject, option, count)


def require_seconds(subject: str, option: str, given: object, *, or_zero: bool = False) -> None:
    """Require a number of seconds above 0; with `or_zero`, 0 is allowed, too. Raises `WiringError`."""
    seconds = given if isinstance(given, int | float) and not isinstance(given, bool) else math.nan
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not or_zero):
        least = "of at least 0" if or_zero else "above 0"
        found = f"{option}={given!r}, which must be a number of seconds {least}"
        raise refuse(subject, found, "correct it, or leave it out for the default", "wrong-option")


def require_choice(subject: str, option: str, given: object, choices: Sequence[object]) -> None:
    """Require one of the choices. Raises `WiringError`."""
    if given not in choices:
        found = f"{option}={given!r} is not an allowed value"
        raise refuse(subject, found, f"give one of {', '.join(map(repr, choices))}", "wrong-option")


def require_function(subject: str, handler: object) -> None:
    """Refuse a handler that is a class or another object. Raises `WiringError`."""
    # `inspect.isroutine` accepts a class method, which cannot be called directly.
    if not (inspect.isroutine(handler) and callable(handler)):
        what = "a class" if isinstance(handler, type) else f"an object of the class {type(handler).__name__}"
        found, remedy = f"the handler is not a function, but {what}", "write a function that calls it"
        raise refuse(subject, found, remedy, "not-a-function")


def require_brackets(decorator: str, given: Sequence[object]) -> None:
    """Refuse the handler of a decorator without brackets. Raises `WiringError`."""
    if given:
        raise refuse(f"@{decorator}", "it stands here without brackets", f"write @{decorator}()", "wrong-name")


def require_methods(path: object, methods: Sequence[object]) -> tuple[str, ...]:
    """The methods of a route. Raises `WiringError` if the methods or the path have a wrong type."""
    if not isinstance(path, str):
        found = "it stands here without brackets" if inspect.isroutine(path) else f"the path is {path!r}"
        raise refuse("@route", found, 'write @route("/the/path")', "malformed-path")
    names = [method for method in methods if isinstance(method, str)]
    if isinstance(methods, str) or len(names) < len(methods):
        found, remedy = f"methods={methods!r} is not a list of names", f"write methods=[{methods!r}]"
        raise refuse(f"@route({path!r})", found, remedy, "wrong-method")
    return tuple(dict.fromkeys(name.upper() for name in names))


def read_tool(subject: str, name: str, given: object) -> bool:
    """Whether an action is a tool. Raises `WiringError` if the option is no bool, or the name none for a tool."""
    require_choice(subject, "tool", given, (True, False))
    if given and _TOOL.fullmatch(name) is None:
        found = f"tool=True, and the name {name!r} is none for a tool: letters, digits, '_', '-' and '.', at most 128"
        raise refuse(subject, found, "give the action another name", "wrong-name")
    return bool(given)


def require_schedule(
    subject: str, seconds: float | None, every: timedelta | None, cron: str | None, zone: str | None = None
) -> Schedule:
    """The schedule of a task. Raises `WiringError` if the options do not form a valid schedule."""
    try:
        return make_schedule(seconds, every, cron, zone)
    except ValueError as error:
        found, colon, remedy = str(error).rstrip(".").partition(": ")
        if not colon or not remedy.startswith(("give", "write")):
            found, remedy = str(error).rstrip("."), _SCHEDULES
        raise refuse(subject, found[:1].lower() + found[1:], remedy, "wrong-schedule") from error


def read_several(subject: str, option: str, given: object) -> Sequence[object]:
    """The values of an option that takes a list. Raises `WiringError` if it is none."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        shown = getattr(given, "__name__", repr(given))
        raise refuse(subject, f"{option}={shown} is not a list", f"write {option}=[{shown}]", "wrong-option")
    return tuple(cast("Sequence[object]", given))


def read_guards(subject: str, given: object) -> tuple[Guard, ...]:
    """The guards of ``requires=``. Raises `WiringError` if one of them is not a plain function."""
    is_list = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    guards = cast("Sequence[object]", given if is_list else (given,))
    for guard in guards:
        if not callable(guard) or isinstance(guard, type):
            found, remedy = f"requires={guard!r} is not a function", "write a function of the user that returns a bool"
            raise refuse(subject, found, remedy, "wrong-guard")
        if inspect.iscoroutinefunction(guard):
            name = getattr(guard, "__qualname__", repr(guard))
            found = f"requires={name} is `async def`, and guards are called without waiting"
            remedy = "look up what it needs in find_user or in the handler, and write it as `def`"
            raise refuse(subject, found, remedy, "wrong-guard")
    return cast("tuple[Guard, ...]", tuple(guards))


def wrong_resumption(option: str, field: str, door: str) -> tuple[str, str] | None:
    """Why clients of a stream of events cannot come back with an id, and the remedy; None if they can.

    Args:
        option: ``event_id`` or ``resume``.
        field: What it names.
        door: The method and the path of the stream.
    """
    method, _, path = door.partition(" ")
    if method == "GET":
        return None
    found = f"{option}={field!r}, and clients do not come back to {door!r}: only a GET may be sent again by itself"
    return found, f'write sse="GET {path}", whose query string has the payload, or remove {option}='
