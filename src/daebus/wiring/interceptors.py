"""Checks the argument ``interceptors=[...]`` at the call, and sorts the interceptors by what they wrap."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Literal, TypeGuard

from daebus.declare.signatures import Signature
from daebus.delivery.interceptors import AnyInterceptor, Interceptors, StreamInterceptor, shown
from daebus.delivery.outgoing import OutgoingInterceptor, OutgoingStreamInterceptor
from daebus.errors import WiringError
from daebus.mistakes.places import caller_place
from daebus.mistakes.problem import WiringProblem

__all__ = ["find_blind", "read_interceptors"]

_SHAPE = "write `def name(endpoint, handle)` that returns `handle`, or an async function of one message"
_OUT_SHAPE = "write `def {name}(self, forward)` that returns `forward`, or an async function of one message"
_OUTGOING = ("outgoing", "outgoing_stream")


def read_interceptors(
    subject: str, given: Iterable[AnyInterceptor], *, takes: Literal["all", "incoming", "outgoing"] = "all"
) -> Interceptors:
    """The interceptors of an app, a blueprint or a bus.

    Args:
        subject: Their owner, for messages.
        given: The argument of the user.
        takes: Which messages they may wrap: a blueprint sends nothing, and a bus handles nothing.

    Raises:
        WiringError: With all the mistakes.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WiringError(_problem(subject, f"interceptors={given!r} is not a list", "write interceptors=[...]"))
    every = tuple(given)
    mistakes = [(one, mistake) for one in every for mistake in _mistakes(one, takes)]
    if mistakes:
        raise WiringError(*(_problem(f"{subject}, {shown(one)}", *mistake) for one, mistake in mistakes))
    return Interceptors(
        tuple(one for one in every if callable(one)),
        tuple(one for one in every if _streams(one)),
        tuple(one for one in every if _sends(one)),
        tuple(one for one in every if _reads(one)),
        tuple(one for one in every if _opens(one)),
    )


def find_blind(signature: Signature, interceptors: Interceptors) -> Iterator[WiringProblem]:
    """The interceptors that would not see the messages of a handler which streams its replies."""
    for interceptor in interceptors.messages if signature.streams else ():
        if not _streams(interceptor):
            found = f"the handler streams its replies, and the {shown(interceptor)} has no method `stream`"
            remedy = "write it as a class with `__call__` and `stream`; a `stream` that returns `handle` adds nothing"
            yield signature.problem(None, found, remedy, code="wrong-interceptor")


def _mistakes(given: object, takes: str) -> Iterator[tuple[str, str]]:
    if isinstance(given, type):
        yield "it is a class", f"give an instance: {given.__name__}()"
        return
    out = [name for name in _OUTGOING if callable(getattr(given, name, None))]
    if takes == "outgoing" and not out:
        yield "it has no method `outgoing` or `outgoing_stream`", _OUT_SHAPE.format(name="outgoing")
        return
    if takes == "incoming" and out:
        found = f"its method `{out[0]}` wraps all messages that the service sends"
        yield found, "give it to Daebus(interceptors=[...])"
    if takes == "incoming" and _opens(given):
        yield "its method `serving` opens it with the service", "give it to Daebus(interceptors=[...])"
    if not callable(given) and not _streams(given) and not out:
        yield "it is not callable and has no method `stream`, `outgoing` or `outgoing_stream`", _SHAPE
    yield from _wrong(given, "it", _SHAPE, 2)
    yield from _wrong(getattr(given, "stream", None), "its method `stream`", _SHAPE, 2)
    for name in _OUTGOING:
        yield from _wrong(getattr(given, name, None), f"its method `{name}`", _OUT_SHAPE.format(name=name), 1)


def _wrong(method: object, name: str, shape: str, count: int) -> Iterator[tuple[str, str]]:
    if not callable(method):
        return
    called = method if inspect.isroutine(method) else method.__call__
    when, arguments = "when the service starts", "two arguments, the endpoint and the function `handle`"
    if count == 1:
        when, arguments = "when the bus is created", "one argument, the function `forward`"
    if inspect.iscoroutinefunction(called):
        yield f"{name} is async, but it is called once, {when}, and not for each message", shape
    elif not _takes(called, count):
        yield f"{name} does not take {arguments}", shape


def _streams(given: object) -> TypeGuard[StreamInterceptor]:
    return callable(getattr(given, "stream", None))


def _sends(given: object) -> TypeGuard[OutgoingInterceptor]:
    return callable(getattr(given, "outgoing", None))


def _reads(given: object) -> TypeGuard[OutgoingStreamInterceptor]:
    return callable(getattr(given, "outgoing_stream", None))


def _opens(given: object) -> bool:
    return callable(getattr(given, "serving", None))


def _takes(function: object, count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)  # type: ignore[arg-type]
    except TypeError:
        return False
    except ValueError:  # the signature of a C function is not known
        return True
    return True


def _problem(subject: str, found: str, remedy: str) -> WiringProblem:
    return WiringProblem(caller_place(), subject, found, remedy, code="wrong-interceptor")
