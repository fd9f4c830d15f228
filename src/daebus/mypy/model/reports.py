"""Error codes, and how a mistake is reported: what was found, and what to do, in one line."""

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
    # Where a type is not known yet, mypy comes back to the whole function.
    if not api.current_node_deferred:
        api.fail(f"{subject}: {found} -> {remedy}", at, code=code)


def show(api: TypeChecker, typ: Type) -> str:
    """A type as mypy writes it, without quotes."""
    return format_type_bare(typ, api.options)


def show_both(api: TypeChecker, one: Type, other: Type) -> tuple[str, str]:
    """Two types, with their modules where they would look the same."""
    shown = format_type_distinctly(one, other, options=api.options, bare=True)
    return shown[0], shown[1]


def listed(names: Collection[str]) -> str:
    """Names, but not endlessly many."""
    first = list(names)[:_MANY]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def remember(api: TypeChecker, names: Iterable[str], types: Iterable[Type]) -> None:
    """Let mypy check the current scope again whenever one of these names or types changes, with a cache or a daemon."""
    known = list(types)
    api.module_refs.update(TypeIndirectionVisitor().find_modules(known))
    target = api.tscope.current_target()
    triggers = [make_trigger(name) for name in names]
    for typ in known:
        triggers.extend(get_type_triggers(typ, use_logical_deps=False))
    for trigger in triggers:
        api.tree.plugin_deps.setdefault(trigger, set()).add(target)
