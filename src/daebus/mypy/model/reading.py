"""Functions that read decorated handlers from mypy's trees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from mypy.checker import TypeChecker
from mypy.nodes import (
    Argument,
    AssignmentStmt,
    CallExpr,
    Context,
    Decorator,
    Expression,
    FloatExpr,
    FuncDef,
    IntExpr,
    ListExpr,
    MemberExpr,
    NameExpr,
    RefExpr,
    Statement,
    StrExpr,
    SymbolNode,
    TempNode,
    TupleExpr,
    UnaryExpr,
    Var,
)
from mypy.types import CallableType, Instance, LiteralType, get_proper_type

from .handlers import Decoration, Handler, Parameter
from .kinds import KINDS

__all__ = [
    "assigned",
    "duration",
    "keyword",
    "number",
    "read_decoration",
    "read_handler",
    "siblings",
    "text",
    "texts",
    "variable",
]

_RECORDERS = ("daebus.declare.recorder.Recorder", "daebus.declare.recording.SocketRecorder")
_DECORATORS = "daebus.declare.decorators."


def read_handler(api: TypeChecker, context: Context, given: Expression) -> Handler | None:
    """The handler below a decorator, or in a call such as ``users.action("x")(handler)``; None: it cannot be read."""
    decoration = read_decoration(api, _decorator(context, given))
    if decoration is None:
        return None
    function = _function(api, context, decoration.call, given)
    typ = function.type if function is not None else given.type if isinstance(given, TempNode) else None
    typ = None if typ is None else get_proper_type(typ)
    if not isinstance(typ, CallableType) or typ.param_spec() is not None or typ.is_type_obj():
        return None
    definition = function or (context.func if isinstance(context, Decorator) else None)
    return Handler(api, decoration, definition, function, typ, _parameters(typ, definition, decoration.call))


def read_decoration(api: TypeChecker, call: Expression | None) -> Decoration | None:
    """The decoration of a call such as ``users.action("get_user")``; None: it is another expression."""
    if not isinstance(call, CallExpr) or not isinstance(call.callee, MemberExpr) or call.callee.name not in KINDS:
        return None
    owner, made = (get_proper_type(api.lookup_type_or_none(part)) for part in (call.callee.expr, call))
    if not isinstance(owner, Instance) or not isinstance(made, Instance):
        return None
    defined = owner.type.get_containing_type_info(call.callee.name)
    if defined is None or defined.fullname not in _RECORDERS:
        return None
    return Decoration(call.callee.name, call, call.callee.expr, owner, made)


def _decorator(context: Context, given: Expression) -> Expression | None:
    if isinstance(context, CallExpr):
        return context.callee
    for decorator in context.decorators if isinstance(context, Decorator) else ():
        # mypy gives the handler the position of the decorator to which it is passed.
        if (decorator.line, decorator.column) == (given.line, given.column):
            return decorator
    return None


def _function(api: TypeChecker, context: Context, call: CallExpr, given: Expression) -> FuncDef | None:
    """The definition of the handler, if there are only decorators of daebus between; otherwise None."""
    if isinstance(context, Decorator):
        below = context.decorators[context.decorators.index(call) + 1 :]
        return context.func if all(_is_ours(api, decorator) for decorator in below) else None
    node = given.node if isinstance(given, RefExpr) else None
    # For a function of another module, mypy may know only the type.
    is_here = isinstance(node, FuncDef) and node.fullname == f"{api.tree.fullname}.{node.name}"
    return node if isinstance(node, FuncDef) and is_here else None


def _is_ours(api: TypeChecker, decorator: Expression) -> bool:
    typ = get_proper_type(api.lookup_type(decorator)) if api.has_type(decorator) else None
    return isinstance(typ, Instance) and typ.type.fullname.startswith(_DECORATORS)


def _parameters(typ: CallableType, definition: FuncDef | None, call: CallExpr) -> tuple[Parameter, ...]:
    written: dict[str, Argument] = {}
    if definition is not None:
        written = {argument.variable.name: argument for argument in definition.arguments}
    positions = list(written)
    found: list[Parameter] = []
    for index, (name, kind, annotation) in enumerate(zip(typ.arg_names, typ.arg_kinds, typ.arg_types, strict=True)):
        shown = name or (positions[index] if index < len(positions) else "_")
        argument = written.get(shown)
        default = None if argument is None else argument.initializer
        found.append(Parameter(shown, get_proper_type(annotation), kind, argument or definition or call, default))
    return tuple(found)


def text(api: TypeChecker, expression: Expression | None) -> str | None:
    """The value of a string, if mypy knows it: a literal, or a ``Final`` variable."""
    if isinstance(expression, StrExpr):
        return expression.value
    typ = get_proper_type(api.lookup_type(expression)) if expression is not None and api.has_type(expression) else None
    if isinstance(typ, Instance):
        typ = typ.last_known_value
    return typ.value if isinstance(typ, LiteralType) and isinstance(typ.value, str) else None


def number(expression: Expression | None) -> float | None:
    """The value of a number, if it is a literal."""
    if isinstance(expression, IntExpr | FloatExpr):
        return expression.value
    if isinstance(expression, UnaryExpr) and expression.op == "-":
        value = number(expression.expr)
        return None if value is None else -value
    return None


def texts(api: TypeChecker, expression: Expression) -> list[str] | None:
    """The values of a list or tuple of strings; None: mypy does not know all of them."""
    if not isinstance(expression, ListExpr | TupleExpr):
        return None
    values = [text(api, item) for item in expression.items]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def variable(expression: Expression | None) -> SymbolNode | None:
    """The variable, if the expression is the name of one."""
    return expression.node if isinstance(expression, RefExpr) and isinstance(expression.node, Var) else None


def keyword(call: CallExpr, name: str, position: int | None = None) -> Expression | None:
    """An argument of a call, by its name or its position."""
    if name in call.arg_names:
        return call.args[call.arg_names.index(name)]
    positional = [arg for arg, kind in zip(call.args, call.arg_kinds, strict=True) if kind.is_positional()]
    return positional[position] if position is not None and position < len(positional) else None


def siblings(api: TypeChecker) -> Sequence[Statement]:
    """The statements of the scope that mypy checks now: a module, or the body of a function."""
    function = api.scope.current_function()
    return api.tree.defs if function is None else function.body.body


def assigned(statement: Context) -> tuple[SymbolNode | None, Expression] | None:
    """The variable and the value of an assignment; None: the statement is no assignment to one name."""
    if isinstance(statement, AssignmentStmt) and len(statement.lvalues) == 1:
        target = statement.lvalues[0]
        return (target.node, statement.rvalue) if isinstance(target, NameExpr) else None
    return None


def duration(expression: Expression) -> float | None:
    """The seconds of a ``timedelta(...)`` whose arguments are literals."""
    if not isinstance(expression, CallExpr) or not isinstance(expression.callee, RefExpr):
        return None
    if expression.callee.fullname != "datetime.timedelta":
        return None
    given = {name: number(arg) for name, arg in zip(expression.arg_names, expression.args, strict=True) if name}
    numbers = {name: value for name, value in given.items() if value is not None}
    return timedelta(**numbers).total_seconds() if len(numbers) == len(expression.args) else None
