"""Checks of a handler's return type: whether its kind allows it, and whether it can go over the wire."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from types import NoneType

from daebus.declare.signatures import MISSING, Signature
from daebus.mistakes.places import unwrap
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.show_type import show_both, show_type
from daebus.payloads.codec import UnresolvedTypeError, UnsupportedTypeError, require_json_type

from .provided_types import fits
from .rules import Rule

__all__ = ["check_returns"]

_NOTHING = (MISSING, NoneType, typing.Never, typing.NoReturn, typing.Any, object)


def check_returns(signature: Signature, rule: Rule) -> Iterator[WiringProblem]:
    """All mistakes in a handler's return type, or in the kind of function that it is."""
    hidden = _hidden(signature)
    if hidden is not None:
        found = f"a decorator hides that it is {hidden}, whose result would never be awaited"
        remedy = "write the function that the decorator returns as `async def`, and await what it calls"
        if "generator" in hidden:
            remedy = "write the function that the decorator returns as an async generator too"
        yield signature.problem(None, found, remedy, code="hidden-coroutine")
        return
    if inspect.isgeneratorfunction(unwrap(signature.function)):
        found = "it is a generator, written as `def` with `yield`, and would never be iterated over"
        remedy = _instead_of_yielding(rule) if rule.streams is False else "write `async def`, to stream what it yields"
        yield signature.problem(None, found, remedy, code="plain-generator")
        return
    if rule.thread and signature.is_async:
        found, remedy = "a thread runs no event loop", "write it as `def`, or use `background`"
        yield signature.problem(None, found, remedy, code="async-thread")
    elif rule.streams is False and signature.streams:
        found, remedy = f"{rule.kind} cannot be an async generator", _instead_of_yielding(rule)
        yield signature.problem(None, found, remedy, code="unexpected-stream", notes=rule.notes)
    elif rule.streams is True and not signature.streams:
        found, remedy = f"{rule.kind} must be an async generator", "write `async def` and yield each item"
        yield signature.problem(None, found, remedy, code="not-a-stream", notes=rule.notes)
    elif rule.replies:
        yield from _check_type(signature, rule)
    elif rule.silent and signature.returns not in _NOTHING:
        found = f"it returns {show_type(signature.returns)}, but a value that {rule.kind} returns is not used"
        remedy = "return nothing: -> None"
        yield signature.problem(None, found, remedy, code="unexpected-reply", part="return")


def _hidden(signature: Signature) -> str | None:
    """The original kind of a function that a decorator has replaced by another kind."""
    written: Callable[..., object] = unwrap(signature.function)
    if inspect.isasyncgenfunction(written) and not signature.streams:
        return "an async generator"
    if inspect.iscoroutinefunction(written) and not signature.is_async:
        return "`async def`"
    return None


def _instead_of_yielding(rule: Rule) -> str:
    if rule.free:
        return "return one value, or a litestar.response.Stream"
    if not rule.replies:
        return "remove the yield; for an object that must be closed, use a providers.Resource"
    return "return one value" if rule.parts else "return one value, or make it a StreamAction"


def _check_type(signature: Signature, rule: Rule) -> Iterator[WiringProblem]:
    returns = signature.returns
    if returns is MISSING and signature.streams and "return" in signature.function.__annotations__:
        found = "it is an async generator, but it is not annotated as one"
        yield signature.problem(
            None, found, "annotate it: -> AsyncIterator[Item]", code="missing-return", part="return"
        )
    elif returns is MISSING:
        found = "the type that it returns is not annotated"
        remedy = "annotate it: -> AsyncIterator[Item]" if signature.streams else "annotate it: -> Reply, or -> None"
        yield signature.problem(None, found, remedy, code="missing-return", part="return")
    elif len(rule.contract) > 1 and not fits(returns, rule.contract[1]):
        given, wanted = show_both(returns, rule.contract[1])
        yield signature.problem(
            None,
            f"it {'yields' if signature.streams else 'returns'} {given}, but its contract says {wanted}",
            f"{'yield' if signature.streams else 'return'} {wanted}, or change the contract",
            code="wrong-reply",
            part="return",
            notes=rule.notes,
        )
    else:
        try:
            require_json_type(returns)
        except UnresolvedTypeError as error:
            yield signature.problem(None, str(error), error.remedy, code="unresolved-annotation", part="return")
        except UnsupportedTypeError as error:
            found = f"what it returns cannot be encoded as JSON: {error}"
            remedy = error.remedy.replace("use a", "return a", 1)
            yield signature.problem(None, found, remedy, code="unencodable", part="return")
