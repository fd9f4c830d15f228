"""Routes: path, methods and options, checked against the signature."""

from __future__ import annotations

from mypy.nodes import CallExpr, Expression, RefExpr
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    ProperType,
    TypeAliasType,
    TypeVarLikeType,
    UnboundType,
    UnionType,
    get_proper_type,
)

from daebus.declare.paths import RESERVED, malformed_path, path_parameters
from daebus.mistakes.suggestions import closest
from daebus.mypy.model.handlers import Handler, Parameter
from daebus.mypy.model.kinds import CONTEXT
from daebus.mypy.model.reading import assigned, keyword, number, siblings, text, texts
from daebus.mypy.model.reports import PATH, SIGNATURE, report, show

from .options import check_options
from .reserved import check_reserved

__all__ = ["can_be_in_path", "check_route"]

_BLUEPRINT = "daebus.app.blueprint.Blueprint"
_PURE_PATH = "pathlib.PurePath"
_SCALARS = frozenset({"builtins.bool", "builtins.float", "builtins.int", "builtins.str"})
_IN_PATH = _SCALARS | {
    "builtins.object",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "decimal.Decimal",
    "uuid.UUID",
}


def check_route(handler: Handler) -> None:
    """Report mistakes in path, methods, status and options of a route, and in the parameters that Litestar fills."""
    check_options(handler)
    methods = _check_methods(handler)
    _check_status(handler)
    expression = keyword(handler.call, "path", 0)
    own = text(handler.api, expression)
    prefix = _prefix(handler)
    path = None if own is None else (prefix or "").rstrip("/") + own
    # If the prefix is not known, an empty path may be right.
    malformed = malformed_path(path) if path or (path is not None and prefix is not None) else None
    if malformed is not None:
        report(handler.api, PATH, expression or handler.call, handler.name, *malformed)
        return
    names = path_parameters(path or "")
    _check_names(handler, names)
    for parameter in handler.left:
        if not parameter.is_annotated or parameter.is_a(CONTEXT):
            continue
        if parameter.name in names:
            _check_in_path(handler, parameter, path or "")
        elif parameter.name == "data" and "GET" in methods:
            remedy = "take query parameters by name, or serve the other methods by a handler of their own"
            report(
                handler.api, SIGNATURE, parameter.at, handler.subject(parameter), "a GET request has no body", remedy
            )
        elif parameter.name in RESERVED and parameter.name != "data":
            check_reserved(handler, parameter)


def _check_status(handler: Handler) -> None:
    """Report a status that is none of a response, or that has no body; Litestar's own responses may be empty."""
    given, returns = keyword(handler.call, "status_code"), handler.returns
    status = number(given)
    if given is not None and status is not None and not 200 <= status <= 599:
        found = f"status_code={status:g} is not the status of a complete response"
        report(handler.api, PATH, given, handler.name, found, "give a number from 200 to 599, such as 201")
        return
    if status in (204, 304) and isinstance(returns, Instance) and not _is_of_litestar(returns):
        found = f"a response of status {status:g} has no body, and it returns {show(handler.api, returns)}"
        report(handler.api, PATH, handler.at, handler.name, found, "write -> None, or choose another status")


def _is_of_litestar(typ: Instance) -> bool:
    return any(base.module_name.partition(".")[0] in ("litestar", "starlette") for base in typ.type.mro)


def _check_methods(handler: Handler) -> list[str]:
    expression = keyword(handler.call, "methods")
    given = ["GET"] if expression is None else texts(handler.api, expression)
    if given == []:
        remedy = 'write methods=["GET"], or leave it out'
        report(handler.api, PATH, handler.call, handler.name, "it has no methods", remedy)
    return given or []


def _prefix(handler: Handler) -> str | None:
    """The prefix of the blueprint; None: it is not known here."""
    if handler.decoration.is_app:
        return ""
    variable = handler.decoration.recorder.node if isinstance(handler.decoration.recorder, RefExpr) else None
    made: Expression | None = None
    for statement in (*handler.api.tree.defs, *siblings(handler.api)):
        found = assigned(statement)
        if found is not None and found[0] is variable and statement.line < handler.call.line:
            made = found[1]
    if not isinstance(made, CallExpr) or not isinstance(made.callee, RefExpr) or made.callee.fullname != _BLUEPRINT:
        return None
    prefix = keyword(made, "prefix")
    return "" if prefix is None else text(handler.api, prefix)


def _check_names(handler: Handler, names: tuple[str, ...]) -> None:
    left = [parameter.name for parameter in handler.left]
    right = {parameter.name for parameter in handler.right}
    missing = [name for name in names if name not in left]
    # Litestar's markers can give a parameter another name in the path; mypy does not know their values.
    if any(_may_be_renamed(handler, parameter) for parameter in handler.left if parameter.name not in names):
        return
    for name in missing:
        spare = [other for other in left if other not in RESERVED and other not in names]
        close = closest(name, spare)
        if name in right:
            remedy = f'move "{name}" left of the *: parameters right of it come from the container'
        elif close is not None:
            remedy = f"did you mean <{close}>?"
        else:
            remedy = f"add `{name}: str` left of the *"
        found = f"the path has <{name}>, but the handler does not take it"
        report(handler.api, PATH, keyword(handler.call, "path", 0) or handler.call, handler.name, found, remedy)


def _may_be_renamed(handler: Handler, parameter: Parameter) -> bool:
    function = handler.definition
    if isinstance(parameter.default, CallExpr) or function is None:
        return True
    written, analyzed = function.unanalyzed_type, function.type
    if not isinstance(written, CallableType) or not isinstance(analyzed, CallableType):
        return True
    at = next(index for index, argument in enumerate(function.arguments) if argument is parameter.at)
    raw = written.arg_types[at]
    is_annotated = isinstance(raw, UnboundType) and raw.name.endswith("Annotated")
    return is_annotated or isinstance(analyzed.arg_types[at], TypeAliasType)


def _check_in_path(handler: Handler, parameter: Parameter, path: str) -> None:
    name, typ = parameter.name, parameter.type
    if name in RESERVED:
        found = f'"{name}" has a special meaning in Litestar, so it cannot be a path parameter'
        remedy = "rename it, here and in the path"
    elif isinstance(typ, Instance) and typ.type.has_base(_PURE_PATH):
        if path.endswith(f"<{name}>"):
            return
        found = "a pathlib.Path takes the rest of the URL, so other segments cannot follow it"
        remedy = "put it last, or annotate it as str"
    elif keyword(handler.call, "type_decoders") is not None or can_be_in_path(typ):
        return
    else:
        found = f"a {show(handler.api, typ)} cannot be part of a path"
        remedy = (
            "annotate it as str, int, float, bool, an Enum, a Literal, UUID, Decimal, a date or time, or pathlib.Path"
        )
    report(handler.api, PATH, parameter.at, handler.subject(parameter), found, remedy)


def can_be_in_path(typ: ProperType) -> bool:
    """Whether the values of a type can be written in a path."""
    if isinstance(typ, UnionType):
        return all(can_be_in_path(get_proper_type(item)) for item in typ.items)
    if isinstance(typ, Instance):
        if typ.type.is_newtype:
            return can_be_in_path(get_proper_type(typ.type.bases[0]))
        return typ.type.fullname in _IN_PATH or typ.type.is_enum or typ.type.fallback_to_any
    return isinstance(typ, AnyType | LiteralType | NoneType | TypeVarLikeType)
