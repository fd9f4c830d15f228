"""Two handlers for the same messages in one blueprint, if both are defined in the same module or function."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.checker import TypeChecker
from mypy.nodes import CallExpr, Context, Decorator, Expression, OverloadedFuncDef, SymbolNode

from daebus.declare.paths import path_shape, split_door
from daebus.mypy.model.handlers import Decoration, Handler
from daebus.mypy.model.kinds import KINDS
from daebus.mypy.model.reading import assigned, keyword, read_decoration, siblings, text, texts, variable
from daebus.mypy.model.reports import DUPLICATE, report

__all__ = ["check_duplicates", "decorated", "is_recorded_by"]


def check_duplicates(handler: Handler, context: Context) -> None:
    """Report that an earlier handler of the blueprint, in the same block, has the same messages."""
    mine = set(_claims(handler.api, handler.decoration))
    blueprint = variable(handler.decoration.recorder)
    if not mine or blueprint is None:
        return
    claimed: dict[str, Decorator] = {}
    for statement in siblings(handler.api):
        made = assigned(statement)
        if made is not None and made[0] is blueprint:
            claimed.clear()
        for earlier in decorated(statement):
            for claim in _claims_of(handler.api, earlier, blueprint, handler.call):
                claimed[claim] = earlier
            if earlier is context:
                _report(handler, [(claim, claimed[claim]) for claim in sorted(mine) if claim in claimed])
                return


def _report(handler: Handler, twice: list[tuple[str, Decorator]]) -> None:
    for claim, earlier in twice:
        found = f"{claim} is handled by {earlier.func.name} already, in line {earlier.func.line}"
        report(handler.api, DUPLICATE, handler.call, handler.name, found, "rename or remove one of the two")


def decorated(statement: Context) -> Iterator[Decorator]:
    """The decorated functions in a statement."""
    if isinstance(statement, Decorator):
        yield statement
    elif isinstance(statement, OverloadedFuncDef):  # several functions of one name in a row, such as `_`
        for item in statement.items:
            yield from decorated(item)


def is_recorded_by(api: TypeChecker, function: Decorator, blueprint: SymbolNode) -> bool:
    """Whether a blueprint records a function."""
    found = (read_decoration(api, decorator) for decorator in function.decorators)
    return any(one is not None and variable(one.recorder) is blueprint for one in found)


def _claims_of(api: TypeChecker, decorated: Decorator, blueprint: SymbolNode, until: CallExpr) -> Iterator[str]:
    """The claims of the decorators of a handler, from the innermost one up to `until`, which is excluded."""
    for decorator in reversed(decorated.decorators):
        if decorator is until:
            return
        decoration = read_decoration(api, decorator)
        if decoration is not None and variable(decoration.recorder) is blueprint:
            yield from _claims(api, decoration)


def _claims(api: TypeChecker, decoration: Decoration) -> Iterator[str]:
    """The messages that only one handler may have, such as ``action "get_user"``."""
    call, decorator = decoration.call, decoration.name
    if not KINDS[decorator].unique:
        return
    if decorator in ("socket_connect", "socket_register"):
        yield decorator
        return
    first = keyword(call, {"route": "path", "socket": "message_type", "socket_join": "room"}.get(decorator, "name"), 0)
    name = text(api, first)
    if decorator != "route":
        shown = f'"{name}"' if name is not None else _contract(first)
        if shown is not None:
            yield f"{decorator} {shown}"
        if decorator == "action":
            yield from _doors(api, call)
        return
    methods = keyword(call, "methods")
    for method in ("GET",) if methods is None else texts(api, methods) or ():
        if name is not None:
            yield f"{method.upper()} {path_shape(name)}"


def _doors(api: TypeChecker, call: CallExpr) -> Iterator[str]:
    for option in ("http", "sse"):
        method, path = split_door(text(api, keyword(call, option)) or "")
        if path:
            yield f"{method} {path_shape(path)}"
    message_type = text(api, keyword(call, "socket"))
    if message_type is not None:
        yield f'socket "{message_type}"'


def _contract(expression: Expression | None) -> str | None:
    """The name of the variable that has the contract: the same variable is the same contract."""
    contract = variable(expression)
    return None if contract is None else contract.name
