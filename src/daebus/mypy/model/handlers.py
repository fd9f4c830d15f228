"""A decorated handler, read from mypy's trees: the decorator, the function, its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from mypy.checker import TypeChecker
from mypy.nodes import ArgKind, CallExpr, Context, Expression, FuncDef, RefExpr
from mypy.types import AnyType, CallableType, Instance, NoneType, ProperType, TypeOfAny, get_proper_type

from .kinds import KINDS, Kind
from .reports import show

__all__ = ["Decoration", "Handler", "Parameter"]

_APP = "daebus.app.service.Daebus"
_USE = "daebus.wiring.binding.use"
_ITERATORS = ("typing.AsyncIterator", "typing.AsyncGenerator")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a handler.

    Attributes:
        name: Its name.
        type: Its type.
        kind: Positional, by name, with a default and so on.
        at: Where to report a mistake of this parameter.
        default: The expression of its default; None: it has no default, or it cannot be seen.
    """

    name: str
    type: ProperType
    kind: ArgKind
    at: Context
    default: Expression | None

    @property
    def is_annotated(self) -> bool:
        """Whether it has an annotation."""
        return not (isinstance(self.type, AnyType) and self.type.type_of_any == TypeOfAny.unannotated)

    @property
    def used(self) -> Expression | None:
        """The provider in its default ``use(...)``; None: it has no such default."""
        call = self.default
        if not isinstance(call, CallExpr) or not isinstance(call.callee, RefExpr) or call.callee.fullname != _USE:
            return None
        return call.args[0] if call.args else None

    def is_a(self, fullname: str) -> bool:
        """Whether its annotation is the class of this name."""
        return isinstance(self.type, Instance) and self.type.type.fullname == fullname


@dataclass(frozen=True)
class Decoration:
    """A call such as ``users.action("get_user")``.

    Attributes:
        name: The name of the decorator, a key of `KINDS`.
        recorder: The blueprint, or the app.
        owner: The type of the recorder.
        made: The type of the decorator that the call returns.
    """

    name: str
    call: CallExpr
    recorder: Expression
    owner: Instance
    made: Instance

    @property
    def is_app(self) -> bool:
        """Whether an app records it, not a blueprint."""
        return self.owner.type.has_base(_APP)

    @property
    def contract(self) -> tuple[ProperType, ...]:
        """The types of its contract: payload and reply, or event; empty: it has no contract."""
        types = tuple(map(get_proper_type, self.made.args))
        return (NoneType(), *types) if self.made.type.name == "JoinDecorator" else types

    @property
    def wants_stream(self) -> bool | None:
        """Whether its contract is a `StreamAction`; None: it has no contract."""
        return self.made.type.name == "StreamDecorator" if self.made.args else None


@dataclass(frozen=True)
class Handler:
    """A decorated handler.

    Attributes:
        definition: The function below all decorators.
        function: The same, if there are only decorators of daebus between; otherwise None.
        type: The type that the decorator gets.
    """

    api: TypeChecker
    decoration: Decoration
    definition: FuncDef | None
    function: FuncDef | None
    type: CallableType
    parameters: tuple[Parameter, ...]

    @property
    def kind(self) -> Kind:
        """The rules for handlers of its kind."""
        return KINDS[self.decoration.name]

    @property
    def call(self) -> CallExpr:
        """The call of its decorator."""
        return self.decoration.call

    @property
    def at(self) -> Context:
        """Where to report a mistake of the whole handler."""
        return self.definition or self.call

    @property
    def left(self) -> list[Parameter]:
        """The parameters that come from the message."""
        return [parameter for parameter in self.parameters if parameter.kind.is_positional()]

    @property
    def right(self) -> list[Parameter]:
        """The parameters that come from the container."""
        return [parameter for parameter in self.parameters if parameter.kind.is_named()]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.definition.name if self.definition is not None else (self.type.name or "handler").split(" of ")[0]

    @property
    def is_opaque(self) -> bool:
        """Whether a decorator of the user's own, typed as ``Callable[..., T]``, hides its parameters from mypy."""
        return self.function is None and any(parameter.kind.is_star() for parameter in self.parameters)

    @property
    def is_method(self) -> bool:
        """Whether it is a method: it is defined in a class, and has `self`."""
        return self.definition is not None and bool(self.definition.info) and not self.definition.is_static

    @property
    def is_async(self) -> bool:
        """Whether it is `async def`, so that it runs on the event loop."""
        if self.function is not None:
            return self.function.is_coroutine
        return self._returns("typing.Coroutine", "typing.Awaitable", "typing.AsyncIterator")

    @property
    def streams(self) -> bool:
        """Whether it is an async generator."""
        if self.function is not None:
            return self.function.is_async_generator
        return self._returns("typing.AsyncIterator")

    @property
    def returns(self) -> ProperType:
        """The type of its result; for an async generator, the type of the items."""
        returned = get_proper_type(self.type.ret_type)
        if isinstance(returned, Instance) and returned.type.fullname == "typing.Coroutine":
            return get_proper_type(returned.args[2])
        if isinstance(returned, Instance) and self.streams and returned.type.fullname in _ITERATORS:
            return get_proper_type(returned.args[0])
        return returned

    def subject(self, parameter: Parameter | None = None) -> str:
        """The handler, or one of its parameters, as the subject of an error message."""
        if parameter is None:
            return self.name
        typed = f": {show(self.api, parameter.type)}" if parameter.is_annotated else ""
        return f"{self.name}({parameter.name}{typed})"

    def _returns(self, *bases: str) -> bool:
        returned = get_proper_type(self.type.ret_type)
        return isinstance(returned, Instance) and any(returned.type.has_base(base) for base in bases)
