"""Error codes, and the report of a mistake in one line: what was found, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mypy.checker import TypeChecker
from mypy.errorcodes import ErrorCode
from mypy.indirection import TypeIndirectionVisitor
from mypy.messages import format_type_bare, format_type_distinctly
from mypy.nodes import Context
from mypy.server.deps import get_type_triggers
from mypy.server.trigger import make_trigger
from mypy.types import Type

__all__ = [
    "DUPLICATE",
    "PATH",
    "SIGNATURE",
    "VALUE",
    "WIRING",
    "listed",
    "remember",
    "report",
    "show",
    "show_both",
]

WIRING = ErrorCode("daebus-wiring", "Check services against the container", "daebus")
SIGNATURE = ErrorCode("daebus-signature", "Check the shape of handlers", "daebus")
PATH = ErrorCode("daebus-path", "Check paths of routes against their handlers", "daebus")
DUPLICATE = ErrorCode("daebus-duplicate", "Check that a blueprint handles nothing twice", "daebus")
VALUE = ErrorCode("daebus-value", "Check names, schedules and limits of handlers", "daebus")

_MANY = 12


def report(api: TypeChecker, code: ErrorCode, at: Context, subject: str, found: str, remedy: str) -> None:
    """Report a mistake at a node: ``subject: found -> remedy``."""
    # If a type is not known yet, mypy checks the whole function once more.
    if not api.current_node_deferred:
        api.fail(f"{subject}: {found} -> {remedy}", at, code=code)


def show(api: TypeChecker, typ: Type) -> str:
    """The name of a type in mypy's form, without quotes."""
    return format_type_bare(typ, api.options)


def show_both(api: TypeChecker, one: Type, other: Type) -> tuple[str, str]:
    """The names of two types, with their modules if the names are equal."""
    shown = format_type_distinctly(one, other, options=api.options, bare=True)
    return shown[0], shown[1]


def listed(names: Collection[str]) -> str:
    """The first 12 names as text, and the number of the others."""
    first = list(names)[:_MANY]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def remember(api: TypeChecker, names: Iterable[str], types: Iterable[Type]) -> None:
    """Let mypy, with a cache or a daemon, check the current scope again when one of these names or types changes."""
    known = list(types)
    api.module_refs.update(TypeIndirectionVisitor().find_modules(known))
    target = api.tscope.current_target()
    triggers = [make_trigger(name) for name in names]
    for typ in known:
        triggers.extend(get_type_triggers(typ, use_logical_deps=False))
    for trigger in triggers:
        api.tree.plugin_deps.setdefault(trigger, set()).add(target)
