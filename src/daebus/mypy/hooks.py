"""The hooks through which mypy calls the plugin."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mypy.checker import TypeChecker
from mypy.nodes import ARG_POS, Context, Decorator, OverloadedFuncDef, TempNode
from mypy.options import Options
from mypy.plugin import (
    AttributeContext,
    FunctionContext,
    FunctionSigContext,
    MethodSigContext,
    Plugin,
    ReportConfigContext,
)
from mypy.types import AnyType, CallableType, FunctionLike, Instance, Type, TypeOfAny
from typing_extensions import override

from daebus.mypy.model.containers import container_of
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reading import read_handler
from daebus.mypy.model.rooms import MAKING, NAMING, named_room, room_made

from .arguments import check_arguments
from .calls import CALLS, check_call, is_for_none
from .duplicates import check_duplicates
from .edge.decorating import DECORATING, check_options
from .edge.rooms import check_overlap, check_room
from .guards import check_guards
from .providers import (
    IDENTITY,
    LASTING,
    PER_MESSAGE,
    check_called,
    check_lifetime,
    found_user,
    nested_provider,
    selected,
)
from .registering import OVERRIDING, REGISTERING, check_in_time, check_once, check_overrides
from .routes import check_route
from .services import check_services
from .shapes import check_shape
from .typing_imports import check_imports
from .values import check_values

__all__ = ["DaebusPlugin"]

# With these the decorated name stays a function; with the others it becomes a contract.
_KEEPING = frozenset(
    {
        "JoinDecorator",
        "AnswerDecorator",
        "MessageDecorator",
        "HandlerDecorator",
        "ListenDecorator",
        "SilentDecorator",
        "ThreadDecorator",
    }
)
_CHANGING = frozenset({"ContractDecorator", "NamedDecorator", "StreamDecorator"})
# It takes nothing; what is wrong is told by the checks of values.
_REFUSING = "NoDecorator"
_DECORATORS = frozenset(f"daebus.declare.decorators.{name}.__call__" for name in _KEEPING | _CHANGING | {_REFUSING})
_PROVIDERS = "dependency_injector.providers."
_CALLING = frozenset({*(_PROVIDERS + name for name in ("Callable", "Coroutine", "Factory")), IDENTITY, PER_MESSAGE})

_SOURCES = sorted(Path(__file__).parent.rglob("*.py"))
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()

Ctx = TypeVar("Ctx")


class DaebusPlugin(Plugin):
    """The checks that plain typing cannot express.

    Handlers are checked in the hooks for the signatures of the decorators' ``__call__``. mypy calls these once, before
    it tries overloads; errors that are reported while it tries them are discarded.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._raises = options.show_traceback
        self._refused: Context | None = None
        self._called: FunctionLike | None = None

    @override
    def report_config_data(self, ctx: ReportConfigContext) -> str:
        # mypy must not reuse cached results of another version of the plugin.
        return _DIGEST

    @override
    def get_method_signature_hook(self, fullname: str) -> Callable[[MethodSigContext], FunctionLike] | None:
        if fullname in CALLS:
            return self._on_call
        if fullname == NAMING:
            return self._on_room_named
        if fullname.rpartition(".")[2] in DECORATING:
            return self._on_options
        if fullname in REGISTERING or fullname.rpartition(".")[2] in OVERRIDING:
            return lambda context: self._on_registering(context, fullname)
        return self._on_decorated if fullname in _DECORATORS else None

    @override
    def get_function_signature_hook(self, fullname: str) -> Callable[[FunctionSigContext], FunctionLike] | None:
        if fullname not in _CALLING and fullname not in LASTING:
            return None
        return lambda context: self._on_provider(context, fullname)

    @override
    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        if fullname == IDENTITY:
            return lambda context: self.guarded(lambda: found_user(context), context.default_return_type)
        if fullname == MAKING:
            return self._on_room
        return self._on_selector if fullname == _PROVIDERS + "Selector" else None

    @override
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        owner, _, name = fullname.rpartition(".")
        if owner != _PROVIDERS + "Container":
            return None
        return lambda context: self.guarded(lambda: nested_provider(context, name), context.default_attr_type)

    def _on_decorated(self, context: MethodSigContext) -> FunctionLike:
        if _is_first(context.default_signature):
            is_refused = isinstance(context.type, Instance) and context.type.type.name == _REFUSING
            is_right = self.guarded(lambda: _check(context), otherwise=True) and not is_refused
            self._refused = None if is_right else context.context
        return context.default_signature if self._refused is not context.context else _lenient(context)

    def _on_call(self, context: MethodSigContext) -> FunctionLike:
        if not is_for_none(context.default_signature):
            self._called = self.guarded(lambda: check_call(context), None)
        return self._called or context.default_signature

    def _on_room(self, context: FunctionContext) -> Type:
        self.guarded(lambda: check_room(context), None)
        return self.guarded(lambda: room_made(context), context.default_return_type)

    def _on_options(self, context: MethodSigContext) -> FunctionLike:
        signature: FunctionLike = context.default_signature
        return self.guarded(lambda: check_options(context), signature)

    def _on_room_named(self, context: MethodSigContext) -> FunctionLike:
        return self.guarded(lambda: named_room(context), context.default_signature)

    def _on_registering(self, context: MethodSigContext, fullname: str) -> FunctionLike:
        check = check_once if fullname in REGISTERING else check_overrides
        if _is_first(context.default_signature):
            self.guarded(lambda: check(context), None)
        return context.default_signature

    def _on_provider(self, context: FunctionSigContext, fullname: str) -> FunctionLike:
        if _is_first(context.default_signature):
            kind = fullname.rpartition(".")[2]
            self.guarded(lambda: check_arguments(context, kind), None)
            self.guarded(lambda: check_called(context, kind), None)
            if fullname in LASTING and self.guarded(lambda: check_lifetime(context), otherwise=False):
                return _without_limits(context.default_signature)
        return context.default_signature

    def _on_selector(self, context: FunctionContext) -> Type:
        return self.guarded(lambda: selected(context), context.default_return_type)

    def guarded(self, work: Callable[[], Ctx], otherwise: Ctx) -> Ctx:
        """Do the work, or return `otherwise` if it fails: a bug of the plugin must not stop mypy.

        With ``--show-traceback`` the exception is raised.
        """
        try:
            return work()
        except Exception:
            if self._raises:
                raise
            return otherwise


def _check(context: MethodSigContext) -> bool:
    """Report all mistakes of a handler. Returns whether mypy should check the call of the decorator as well."""
    api = context.api
    if not isinstance(api, TypeChecker) or not context.args or not context.args[0]:
        return True
    handler = read_handler(api, context.context, context.args[0][0])
    if handler is None:
        return True
    is_shaped = handler.is_opaque or _check_signature(api, handler)
    check_imports(handler)
    check_values(handler)
    check_duplicates(handler, context.context)
    check_overlap(handler, context.context)
    check_in_time(handler)
    return is_shaped


def _check_signature(api: TypeChecker, handler: Handler) -> bool:
    container = container_of(api, handler.decoration.owner)
    is_shaped = check_shape(handler, container)
    check_services(handler, container)
    check_guards(handler, container)
    if handler.decoration.name == "route":
        check_route(handler)
    return is_shaped


def _lenient(context: MethodSigContext) -> FunctionLike:
    """A signature that accepts any handler, so that mypy does not report the same mistake a second time."""
    anything = AnyType(TypeOfAny.from_error)
    given = context.args[0][0]
    keeps = isinstance(context.type, Instance) and context.type.type.name in _KEEPING
    returned = given.type if keeps and isinstance(given, TempNode) else anything
    return CallableType([anything], [ARG_POS], [None], returned, context.default_signature.fallback)


def _without_limits(signature: CallableType) -> CallableType:
    """The signature of a provider that takes any arguments, as what is wrong with them was reported."""
    provides, *arguments = signature.arg_types
    anything = AnyType(TypeOfAny.from_error)
    types: list[Type] = [provides, *(anything for _ in arguments)]
    return signature.copy_modified(arg_types=types)  # pyright: ignore[reportUnknownMemberType]  # mypy's `Bogus`


def _is_first(signature: CallableType) -> bool:
    """Whether a signature is the first of several overloads, or the only one."""
    definition = signature.definition
    if not isinstance(definition, Decorator) or not definition.func.is_overload:
        return True
    symbol = definition.func.info.get(definition.func.name)
    overloads = symbol.node.items if symbol is not None and isinstance(symbol.node, OverloadedFuncDef) else []
    return all(item is not definition for item in overloads[1:])
