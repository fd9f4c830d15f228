"""Checks the argument ``interceptors=[...]`` at the call, and sorts the interceptors by what they wrap."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeGuard

from daebus.declare.signatures import Signature
from daebus.delivery.interceptors import AnyInterceptor, Interceptors, Observer, StreamInterceptor, shown
from daebus.delivery.outgoing import OutgoingInterceptor, OutgoingStreamInterceptor
from daebus.errors import WiringError
from daebus.mistakes.places import caller_place
from daebus.mistakes.problem import WiringProblem

__all__ = ["find_blind", "read_interceptors"]


class _Maker(NamedTuple):
    """A function or method of an interceptor: what it looks like, when it is called, and with what."""

    shape: str
    arity: int
    when: str
    arguments: str


_HANDLES = _Maker(
    "write `def name(endpoint, handle)` that returns `handle`, or an async function of one message",
    *(2, "when the service starts", "two arguments, the endpoint and the function `handle`"),
)
_OBSERVES = _Maker(
    "write `def observing(self, endpoint)` that returns a function of message, reply, error and seconds",
    *(1, "when the service starts", "one argument, the endpoint"),
)
_FORWARDS = {
    name: _Maker(
        f"write `def {name}(self, forward)` that returns `forward`, or an async function of one message",
        *(1, "when the bus is created", "one argument, the function `forward`"),
    )
    for name in ("outgoing", "outgoing_stream")
}


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
        tuple(one for one in every if _observes(one)),
    )


def find_blind(signature: Signature, interceptors: Interceptors) -> Iterator[WiringProblem]:
    """The interceptors that would not see the messages of a handler which streams its replies."""
    for interceptor in (*interceptors.messages, *interceptors.observers) if signature.streams else ():
        if not _streams(interceptor):
            found = f"the handler streams its replies, and the {shown(interceptor)} has no method `stream`"
            other = "observing" if _observes(interceptor) else "__call__"
            remedy = f"write it as a class with `{other}` and `stream`; a `stream` that returns `handle` adds nothing"
            yield signature.problem(None, found, remedy, code="wrong-interceptor")


def _mistakes(given: object, takes: str) -> Iterator[tuple[str, str]]:
    if isinstance(given, type):
        yield "it is a class", f"give an instance: {given.__name__}()"
        return
    out = [name for name in _FORWARDS if callable(getattr(given, name, None))]
    if takes == "outgoing" and not out:
        yield "it has no method `outgoing` or `outgoing_stream`", _FORWARDS["outgoing"].shape
        return
    if takes == "incoming" and out:
        found = f"its method `{out[0]}` wraps all messages that the service sends"
        yield found, "give it to Daebus(interceptors=[...])"
    if takes == "incoming" and _opens(given):
        yield "its method `serving` opens it with the service", "give it to Daebus(interceptors=[...])"
    if not (callable(given) or _streams(given) or _observes(given) or out):
        found = "it is not callable and has no method `stream`, `observing`, `outgoing` or `outgoing_stream`"
        yield found, _HANDLES.shape
    yield from _wrong(given, "it", _HANDLES)
    for name, maker in {"stream": _HANDLES, "observing": _OBSERVES, **_FORWARDS}.items():
        yield from _wrong(getattr(given, name, None), f"its method `{name}`", maker)


def _wrong(method: object, name: str, maker: _Maker) -> Iterator[tuple[str, str]]:
    if not callable(method):
        return
    called = method if inspect.isroutine(method) else method.__call__
    if inspect.iscoroutinefunction(called):
        yield f"{name} is async, but it is called once, {maker.when}, and not for each message", maker.shape
    elif not _takes(called, maker.arity):
        yield f"{name} does not take {maker.arguments}", maker.shape


def _streams(given: object) -> TypeGuard[StreamInterceptor]:
    return callable(getattr(given, "stream", None))


def _observes(given: object) -> TypeGuard[Observer]:
    return callable(getattr(given, "observing", None))


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
