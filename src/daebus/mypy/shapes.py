"""The shape of a handler: the kind of function, the return type, and the parameters left of the ``*``."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.subtypes import is_subtype
from mypy.types import AnyType, Instance, NoneType, ProperType, TypeOfAny, UninhabitedType

from daebus.mypy.model.containers import Container
from daebus.mypy.model.data import foreign_part
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reports import SIGNATURE, report, show, show_both

from .payloads import Mistake, payload_mistakes

__all__ = ["check_shape"]

_OBJECT = "builtins.object"
_ITERATOR = "typing.AsyncIterator"


def check_shape(handler: Handler, container: Container | None) -> bool:
    """Report mistakes in the shape of a handler. Returns whether there are none."""
    mistakes = list(_function_mistakes(handler))
    if not handler.is_method:
        mistakes.extend(payload_mistakes(handler, container))
    for parameter, found, remedy in mistakes:
        at = handler.at if parameter is None else parameter.at
        report(handler.api, SIGNATURE, at, handler.subject(parameter), found, remedy)
    return not mistakes


def _function_mistakes(handler: Handler) -> Iterator[Mistake]:
    kind, function = handler.kind, handler.function
    if handler.is_method:
        yield None, "a handler is a function, not a method", "move it out of the class"
    elif any(isinstance(part, UninhabitedType) for part in handler.decoration.contract):
        example = "Channel[Event]" if handler.decoration.name == "listen" else "Action[Payload, Reply]"
        yield None, "its contract has no types", f"write them in brackets, as in {example}"
    elif handler.is_async and kind.threaded:
        yield None, "a thread runs no event loop", "write it as `def`, or use `background`"
    elif handler.streams and not kind.streams:
        remedy = "return one value" if kind.replies else "let it yield nothing"
        yield None, f"{kind.title} cannot be an async generator", remedy
    elif handler.streams and handler.decoration.wants_stream is False:
        remedy = "return one value, or make the contract a StreamAction"
        yield None, "its contract is an Action, which has one reply, but this is an async generator", remedy
    elif not handler.streams and handler.decoration.wants_stream:
        remedy = "write `async def`, and yield each item"
        yield None, "its contract is a StreamAction, but this is not an async generator", remedy
    elif function is not None and function.is_generator and not function.is_coroutine:
        remedy = "write `async def`, and yield each item" if kind.streams else "return one value"
        yield None, f"{kind.title} cannot be a `def` generator", remedy
    else:
        yield from _reply_mistakes(handler, handler.returns)


def _reply_mistakes(handler: Handler, returns: ProperType) -> Iterator[Mistake]:
    kind, contract = handler.kind, handler.decoration.contract
    foreign = foreign_part(returns)
    if isinstance(returns, AnyType) and returns.type_of_any == TypeOfAny.unannotated:
        if kind.replies:
            yield None, "the type that it returns is not annotated", "write -> Reply, or -> None"
    elif not kind.replies:
        if not isinstance(returns, NoneType | AnyType | UninhabitedType):
            found = f"it returns {show(handler.api, returns)}, but a value that {kind.title} returns is not used"
            yield None, found, "write -> None"
    elif len(contract) > 1 and not is_subtype(returns, contract[1]):
        given, says = show_both(handler.api, returns, contract[1])
        yield None, f"it returns {given}, but its contract says {says}", f"return {says}, or change the contract"
    elif not handler.streams and not kind.free and isinstance(returns, Instance) and returns.type.has_base(_ITERATOR):
        found = f"it returns {show(handler.api, returns)}, but is not an async generator itself"
        yield None, found, "write `async def`, and yield each item"
    elif not contract and not kind.free and isinstance(returns, Instance) and returns.type.fullname == _OBJECT:
        found = "it returns an object, which says nothing about its type"
        yield None, found, "write the type; if it may be any type, write typing.Any"
    elif foreign is not None and not kind.free:
        found = f"a {show(handler.api, foreign)} cannot be encoded as JSON"
        yield None, found, "return a msgspec.Struct, a dataclass, or what msgspec supports"
