"""Collects wiring mistakes that would stop the import of a module, so that one of them hides no other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from daebus.errors import DaebusError, WiringError
from daebus.mistakes.problem import WiringProblem

__all__ = ["Deferred", "collect", "collecting", "defer", "deferring", "has_deferred"]

P = ParamSpec("P")
T = TypeVar("T")

AnyHandler = Callable[..., object]


class Deferred:
    """The mistakes that were kept, in the order in which they were found."""

    def __init__(self) -> None:
        self._of_apps: list[WiringProblem] = []
        self._others: list[WiringProblem] = []

    def keep(self, error: WiringError, *, of_app: bool) -> None:
        """Keep the mistakes of an error; those of an app are also reported by its `check`."""
        (self._of_apps if of_app else self._others).extend(error.problems)

    def take(self) -> list[WiringProblem]:
        """The mistakes that no app reports, such as those of a contract; afterwards they are not kept any more."""
        taken, self._others = self._others, []
        return taken

    @property
    def has_others(self) -> bool:
        """Whether there are mistakes that no app reports."""
        return bool(self._others)

    def all(self) -> list[WiringProblem]:
        """All the mistakes, without repetitions."""
        return list({(problem.where, problem.message): problem for problem in (*self._others, *self._of_apps)}.values())


_deferred: ContextVar[Deferred | None] = ContextVar("deferred", default=None)


@contextmanager
def deferring() -> Generator[Deferred]:
    """Inside this context, mistakes in declarations are kept: the import of a module goes on after them.

    The mistakes of an app are reported by `Daebus.check`. The others can be taken; those that were not taken are raised
    at the end of the context.

    Raises:
        WiringError: With the mistakes that were not taken, or with the error raised inside the context and all the
            mistakes that were kept. An error of another kind gives way to mistakes that were kept, as it may follow
            from them.
    """
    kept = Deferred()
    token = _deferred.set(kept)
    try:
        yield kept
    except WiringError as error:
        told = {(problem.where, problem.message) for problem in error.problems}
        untold = [problem for problem in kept.all() if (problem.where, problem.message) not in told]
        raise WiringError(*untold, *error.problems) from error
    except DaebusError as error:
        if problems := kept.all():
            raise WiringError(*problems) from error
        raise
    finally:
        _deferred.reset(token)
    if problems := kept.take():
        raise WiringError(*problems)


def defer(error: WiringError, *, of_app: bool = False) -> bool:
    """Keep the mistakes of an error if `deferring` is active. Returns whether they were kept."""
    kept = _deferred.get()
    if kept is not None:
        kept.keep(error, of_app=of_app)
    return kept is not None


def has_deferred() -> bool:
    """Whether mistakes were kept that no app reports, such as those of handlers that were not registered."""
    kept = _deferred.get()
    return kept is not None and kept.has_others


def collect(act: Callable[[], T], otherwise: T) -> T:
    """The result of `act`; `otherwise` if it raises a `WiringError` that is kept."""
    try:
        return act()
    except WiringError as error:
        if not defer(error):
            raise
        return otherwise


def collecting(owner: type[T]) -> type[T]:
    """Wrap the public methods of a class, which return decorators.

    If the mistakes in the arguments of such a method are kept, it returns a decorator that changes nothing.
    """
    for name, method in list(vars(owner).items()):
        if not name.startswith("_") and inspect.isfunction(method):
            setattr(owner, name, _collected(method))
    return owner


def _collected(method: Callable[P, object]) -> Callable[P, object]:
    @wraps(method)
    def collected(*args: P.args, **kwargs: P.kwargs) -> object:
        return collect(lambda: method(*args, **kwargs), cast("object", _unchanged))

    return collected


def _unchanged(handler: AnyHandler) -> AnyHandler:
    return handler
