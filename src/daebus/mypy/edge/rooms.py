"""Rooms: the options of their contracts, and names of which a room can have more than one."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.checker import TypeChecker
from mypy.nodes import CallExpr, Context, Decorator, Expression, NameExpr
from mypy.plugin import FunctionContext

from daebus.declare.options import stray_in
from daebus.declare.rooms import MAX_HISTORY, are_ambiguous, wrong_parameters
from daebus.mypy.duplicates import decorated, is_recorded_by
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reading import duration, keyword, number, read_decoration, siblings, text, variable
from daebus.mypy.model.reports import DUPLICATE, VALUE, report
from daebus.mypy.model.rooms import name_of

__all__ = ["check_overlap", "check_room"]


def check_room(context: FunctionContext) -> None:
    """Report the name and the options of a contract of rooms that it refuses."""
    api, call = context.api, context.context
    if not isinstance(api, TypeChecker) or not isinstance(call, CallExpr):
        return
    at = keyword(call, "name", 0)
    name = text(api, at)
    if at is not None and name is not None:
        stray = stray_in(name.replace("{", "").replace("}", ""), colons=True)
        wrong = wrong_parameters(name) or (
            None if stray is None else (stray, "write it as in Room[None]('chat:{name}')")
        )
        if wrong is not None:
            found, remedy = (part.replace("'", '"') for part in wrong)
            report(api, VALUE, at, "Room", found, remedy)
    for option, expression, found, remedy in _wrong(call):
        report(api, VALUE, expression, "Room", f"{option}={found}", remedy)


def _wrong(call: CallExpr) -> Iterator[tuple[str, Expression, str, str]]:
    history, held, keep = (keyword(call, name) for name in ("history", "history_bytes", "keep"))
    given, size, kept = number(history), number(held), None if keep is None else duration(keep)
    if history is not None and given is not None and not 0 <= given <= MAX_HISTORY:
        yield "history", history, f"{given:g}, and it must be from 0 to {MAX_HISTORY}", "correct it"
    if held is not None and size is not None and size < 1:
        yield "history_bytes", held, f"{size:g}, and it must be at least 1", "leave it out for the default"
    if keep is not None and kept is not None and kept <= 0:
        yield "keep", keep, "a timedelta that is not above 0", "write keep=timedelta(minutes=5)"
    latest = keyword(call, "latest")
    if isinstance(latest, NameExpr) and latest.fullname == "builtins.True" and given == 0:
        yield "latest", latest, "True, and with history=0 no message is kept", "write history=1"


def check_overlap(handler: Handler, context: Context) -> None:
    """Report that an earlier join handler of the blueprint, in the same block, lets into some of the same rooms."""
    room = keyword(handler.call, "room", 0)
    name = None if room is None else name_of(handler.api, room)
    blueprint = variable(handler.decoration.recorder)
    if handler.decoration.name != "socket_join" or name is None or blueprint is None:
        return
    for statement in siblings(handler.api):
        for earlier in decorated(statement):
            if earlier is context:
                return
            for other in _joined(handler.api, earlier):
                if is_recorded_by(handler.api, earlier, blueprint) and other != name and are_ambiguous(name, other):
                    found = f'some rooms of "{name}" are also rooms of "{other}", which {earlier.func.name} lets in'
                    remedy = "let the names begin differently"
                    report(handler.api, DUPLICATE, handler.call, handler.name, found, remedy)
                    return


def _joined(api: TypeChecker, earlier: Decorator) -> Iterator[str]:
    for decorator in earlier.decorators:
        decoration = read_decoration(api, decorator)
        room = None if decoration is None else keyword(decoration.call, "room", 0)
        name = None if decoration is None or decoration.name != "socket_join" or room is None else name_of(api, room)
        if name is not None:
            yield name
