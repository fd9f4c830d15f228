"""Annotations of handlers whose names are imported for type checkers alone, and unknown when the service starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mypy.checker import TypeChecker
from mypy.nodes import Import, ImportFrom
from mypy.types import CallableType, Type, TypeList, UnboundType, UnionType

from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reports import SIGNATURE, report

__all__ = ["check_imports"]


def check_imports(handler: Handler) -> None:
    """Report annotations that daebus could not resolve."""
    written = None if handler.function is None else handler.function.unanalyzed_type
    hidden = _hidden(handler.api)
    if not isinstance(written, CallableType) or not hidden:
        return
    parameters = {parameter.name: parameter for parameter in handler.parameters}
    parts = [*zip(written.arg_names, written.arg_types, strict=True), (None, written.ret_type)]
    for argument, annotation in parts:
        name = next((one for one in _names(annotation) if one in hidden), None)
        if name is not None:
            parameter = None if argument is None else parameters.get(argument)
            at = handler.at if parameter is None else parameter.at
            found = f'"{name}" is imported only for type checkers, but daebus needs it at run time'
            remedy = "move the import out of `if TYPE_CHECKING:`"
            report(handler.api, SIGNATURE, at, handler.subject(parameter), found, remedy)


def _hidden(api: TypeChecker) -> set[str]:
    """The names that the module imports only in an ``if TYPE_CHECKING:``."""
    hidden: set[str] = set()
    real: set[str] = set()
    for one in api.tree.imports:
        named: Sequence[tuple[str, str | None]] = one.names if isinstance(one, ImportFrom) else ()
        if isinstance(one, Import):
            named = [(module.partition(".")[0], alias) for module, alias in one.ids]
        (hidden if one.is_mypy_only else real).update(alias or name for name, alias in named)
    return hidden - real


def _names(annotation: Type) -> Iterator[str]:
    """The names in an annotation; of dotted ones the first part."""
    if isinstance(annotation, UnboundType):
        yield annotation.name.partition(".")[0]
        parts: Sequence[Type] = annotation.args
    else:
        parts = annotation.items if isinstance(annotation, UnionType | TypeList) else ()
    for part in parts:
        yield from _names(part)
