"""What is given as ``interceptors=[...]``: checked where it is written, and sorted by what it stands around."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from daebus.delivery.interceptors import AnyInterceptor, Interceptors, StreamInterceptor, shown
from daebus.errors import WiringError
from daebus.mistakes.places import caller_place
from daebus.mistakes.problem import WiringProblem

__all__ = ["read_interceptors"]

_SHAPE = "write `def name(endpoint, handle)` that returns `handle`, or an async function of one message"


def read_interceptors(subject: str, given: Iterable[AnyInterceptor]) -> Interceptors:
    """The interceptors of an app or a blueprint.

    Args:
        subject: Whose they are, for messages.
        given: As the user gave them.

    Raises:
        WiringError: With all the mistakes.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WiringError(_problem(subject, f"interceptors={given!r} is no list", "write interceptors=[...]"))
    every = tuple(given)
    problems = [_problem(f"{subject}, {shown(one)}", *mistake) for one in every for mistake in _mistakes(one)]
    if problems:
        raise WiringError(*problems)
    return Interceptors(
        tuple(one for one in every if callable(one)),
        tuple(one for one in every if _streams(one)),
    )


def _mistakes(given: object) -> Iterator[tuple[str, str]]:
    if isinstance(given, type):
        yield "it is a class", f"give an instance: {given.__name__}()"
        return
    if not callable(given) and not _streams(given):
        yield "it is neither callable, nor has it a method `stream`", _SHAPE
    for name, method in (("it", given), ("its method `stream`", getattr(given, "stream", None))):
        if not callable(method):
            continue
        called = method if inspect.isroutine(method) else method.__call__
        if inspect.iscoroutinefunction(called):
            yield f"{name} is async, but it is called once, when the service starts, and not for each message", _SHAPE
        elif not _takes_two(called):
            yield f"{name} does not take two arguments, the endpoint and what hands the message on", _SHAPE


def _streams(given: object) -> TypeGuard[StreamInterceptor]:
    return callable(getattr(given, "stream", None))


def _takes_two(function: object) -> bool:
    try:
        inspect.signature(function).bind(None, None)  # type: ignore[arg-type]
    except TypeError:
        return False
    except ValueError:  # of a function in C nothing is known
        return True
    return True


def _problem(subject: str, found: str, remedy: str) -> WiringProblem:
    return WiringProblem(caller_place(), subject, found, remedy, code="wrong-interceptor")
