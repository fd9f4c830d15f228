"""The contracts that the code of an app mentions: what it calls, publishes and sends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from types import CodeType, FunctionType, ModuleType

from daebus.declare.contracts import Contract

__all__ = ["mentioned"]


def mentioned(handlers: Iterable[Callable[..., object]]) -> list[Contract]:
    """The contracts that are named in the bodies of functions, in the modules of these handlers and those they use.

    Modules of other packages do not count. A contract that is only named in a decorator is received, not sent. A
    contract that a function gets as an argument is not found.
    """
    starts = {function.__module__ for function in handlers}
    found: list[Contract] = []
    for module in _reached(starts):
        found += (one for one in _in_module(module) if one not in found)
    return found


def _reached(starts: Set[str]) -> Iterator[ModuleType]:
    """The modules of the same packages that these modules use, each once."""
    roots = {name.partition(".")[0] for name in starts}
    waiting, seen = sorted(starts & sys.modules.keys()), set(starts)
    while waiting:
        module = sys.modules[waiting.pop(0)]
        yield module
        for value in list(vars(module).values()):
            name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(name, str) and name not in seen and name.partition(".")[0] in roots and name in sys.modules:
                seen.add(name)
                waiting.append(name)


def _in_module(module: ModuleType) -> Iterator[Contract]:
    known = vars(module)
    for value in list(known.values()):
        for code in _codes(value, module.__name__):
            yield from _named(code, known)


def _codes(value: object, module: str) -> Iterator[CodeType]:
    """The code of a function or of the methods of a class, if they are defined in this module."""
    if getattr(value, "__module__", None) != module:
        return
    if isinstance(value, type):
        for attribute in list(vars(value).values()):
            inner: object = getattr(attribute, "__func__", attribute)
            if isinstance(inner, FunctionType):
                yield from _nested(inner.__code__)
    else:
        function = getattr(value, "__wrapped__", value)
        if isinstance(function, FunctionType):
            yield from _nested(function.__code__)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _named(code: CodeType, known: Mapping[str, object]) -> Iterator[Contract]:
    for name in code.co_names:
        value = known.get(name)
        if isinstance(value, Contract):
            yield value
        elif isinstance(value, ModuleType | type):
            inner = vars(value)
            yield from (inner[each] for each in code.co_names if isinstance(inner.get(each), Contract))
