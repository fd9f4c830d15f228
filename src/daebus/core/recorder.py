"""The decorators, which record handlers. A blueprint is a recorder, and so is an app."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Literal, TypeVar, cast, overload

from .contracts import Action, Channel, StreamAction
from .decorators import (
    ContractDecorator,
    HandlerDecorator,
    ListenDecorator,
    NamedDecorator,
    Record,
    SilentDecorator,
    StreamDecorator,
    ThreadDecorator,
)
from .errors import WiringError
from .handlers import ActionHandler, StreamHandler, undecorated
from .places import call_site, caller_namespace, caller_place
from .problems import Code, WiringProblem
from .schedules import Schedule, make_schedule
from .specs import ActionSpec, BackgroundSpec, LifecycleSpec, ListenSpec, RouteSpec, SocketSpec, Spec, ThreadSpec

__all__ = ["Recorder"]

In = TypeVar("In")
Out = TypeVar("Out")
Event = TypeVar("Event")

_SCHEDULES = "give seconds, or every=timedelta(...), or cron= with five fields, such as '0 3 * * *'"

AnyHandler = Callable[..., object]


class Recorder:
    """Records handlers, until it is closed.

    Args:
        name: The name of the blueprint or app.
        prefix: Put before the path of each route.
        namespace: Put before the string names of actions and socket types, with a dot.
    """

    def __init__(self, name: str, *, prefix: str = "", namespace: str = "") -> None:
        self.name = name
        self._prefix = prefix.rstrip("/")
        self._namespace = f"{namespace}." if namespace else ""
        self._specs: list[Spec] = []
        self._closed: str | None = None

    @property
    def specs(self) -> Sequence[Spec]:
        """The handlers in the order in which they were recorded."""
        return tuple(self._specs)

    def close(self, reason: str) -> None:
        """Refuse handlers from now on, for a reason such as "it was registered in app.py:12"."""
        self._closed = self._closed or reason

    def _record(self, spec: Spec) -> None:
        if not inspect.isroutine(spec.function):
            shown = getattr(spec.function, "__qualname__", repr(spec.function))
            raise _problem(
                f"{shown} of {self.name!r}", "a handler is a function", "write it as `def`", "not-a-function"
            )
        if self._closed is not None:
            found = f"it comes too late: {self._closed}"
            remedy = "define every handler before its blueprint is registered"
            subject = f"{spec.title} of {self.name!r}"
            raise WiringError(WiringProblem(spec.place, subject, found, remedy, code="too-late"))
        self._specs.append(spec)

    @overload
    def action(self, name: str, *, concurrency: int | None = None) -> NamedDecorator: ...
    @overload
    def action(self, name: Action[In, Out], *, concurrency: int | None = None) -> ContractDecorator[In, Out]: ...
    @overload
    def action(self, name: StreamAction[In, Out], *, concurrency: int | None = None) -> StreamDecorator[In, Out]: ...
    def action(
        self,
        name: str | Action[In, Out] | StreamAction[In, Out],
        *,
        concurrency: int | None = None,
    ) -> object:
        """Answer requests of other services, of this one, and of scripts.

        Left of the ``*`` stand the payload, or nothing, and optionally a `Context`. What the handler returns is the
        reply; an async generator streams its items. The decorated name is an `Action` for ``bus.call(...)``.

        Args:
            name: A contract, or a name, to which the blueprint's namespace is added.
            concurrency: How many requests one process handles at once; default: the app's ``max_concurrency``.
        """
        _check_named("action", name, (Action, StreamAction))
        contract = None if isinstance(name, str) else name
        full = self._namespace + name if isinstance(name, str) else name.name
        if concurrency is not None and concurrency < 1:
            raise _problem(
                f"concurrency={concurrency}", "it must be at least 1", "leave it out for the default", "wrong-option"
            )
        make = partial(ActionSpec, name=full, contract=contract, concurrency=concurrency, site=call_site())
        namespace = caller_namespace()

        def record(handler: AnyHandler) -> object:
            function = undecorated(handler)
            spec = make(function=function, blueprint=self.name, namespace=namespace)
            self._record(spec)
            if inspect.isasyncgenfunction(function):
                return StreamHandler[object, object, ..., object](handler, spec)
            return ActionHandler[object, object, ..., object](handler, spec)

        match name:
            case str():
                return NamedDecorator(record)
            case StreamAction():
                return StreamDecorator[object, object](record)
            case _:
                return ContractDecorator[object, object](record)

    @overload
    def listen(self, channel: str) -> SilentDecorator: ...
    @overload
    def listen(self, channel: Channel[Event]) -> ListenDecorator[Event]: ...
    def listen(self, channel: str | Channel[Event]) -> object:
        """Hear the events of a channel. Left of the ``*`` stands the event; several listeners may share a channel."""
        _check_named("listen", channel, (Channel,))
        contract = None if isinstance(channel, str) else cast("Channel[object]", channel)
        name = channel if isinstance(channel, str) else channel.name
        record = self._recording(partial(ListenSpec, channel=name, contract=contract))
        return SilentDecorator(record) if contract is None else ListenDecorator[object](record)

    def route(
        self, path: str, *, methods: Sequence[str] = ("GET",), status_code: int | None = None, **options: object
    ) -> HandlerDecorator:
        """Answer HTTP requests.

        Left of the ``*`` stands whatever Litestar takes: path and query parameters, ``data``, ``headers``,
        ``cookies``, ``request``. What it returns is the body, or any Litestar response; ``-> None`` means 204.

        Args:
            path: Such as ``/users/<user_id>``; the blueprint's prefix is added.
            methods: HTTP methods.
            status_code: Of a success; default: 200, and 204 where nothing is returned.
            options: Whatever Litestar's route handlers take: guards, middleware, tags, summary, …
        """
        upper = tuple(method.upper() for method in methods)
        path = self._prefix + path
        make = partial(RouteSpec, path=path, methods=upper, status_code=status_code, options=options)
        return HandlerDecorator(self._recording(make))

    def socket(self, message_type: str) -> HandlerDecorator:
        """Answer WebSocket messages of one type.

        Left of the ``*`` stand the data and the `Client`, told apart by type; either may be left out. What it
        returns is the answer, None: no answer.
        """
        _check_named("socket", message_type)
        return HandlerDecorator(self._socket("message", self._namespace + message_type))

    def socket_register(self) -> HandlerDecorator:
        """Answer WebSocket messages of the type ``register``."""
        return HandlerDecorator(self._socket("message", "register"))

    def socket_connect(self) -> HandlerDecorator:
        """Decide on a new WebSocket client: return to accept it, with a greeting or None; raise `Reject` to refuse.

        Left of the ``*`` stand the parameters of the query string, decoded into a struct, and the `Client`.
        """
        return HandlerDecorator(self._socket("connect", ""))

    def socket_disconnect(self) -> SilentDecorator:
        """Run after a WebSocket client has gone, however it went. Left of the ``*`` may stand the `Client`."""
        return SilentDecorator(self._socket("disconnect", ""))

    def _socket(self, event: Literal["message", "connect", "disconnect"], message_type: str) -> Record:
        return self._recording(partial(SocketSpec, event=event, type=message_type))

    @overload
    def background(
        self, name: str, seconds: float, *, scope: Literal["service", "replica"] = "service"
    ) -> SilentDecorator: ...
    @overload
    def background(
        self, name: str, *, every: timedelta, scope: Literal["service", "replica"] = "service"
    ) -> SilentDecorator: ...
    @overload
    def background(
        self, name: str, *, cron: str, scope: Literal["service", "replica"] = "service"
    ) -> SilentDecorator: ...
    def background(
        self,
        name: str,
        seconds: float | None = None,
        *,
        every: timedelta | None = None,
        cron: str | None = None,
        scope: Literal["service", "replica"] = "service",
    ) -> SilentDecorator:
        """Run on a schedule, on one replica at a time, never overlapping itself.

        Args:
            name: The name of the task, under which its last run is recorded in Redis.
            seconds: The interval, in seconds.
            every: The interval, as a `timedelta`.
            cron: A cron expression of five fields, in UTC.
            scope: ``service``: on one replica at a time; ``replica``: on each.
        """
        _check_named("background", name)
        schedule = _schedule(f"background({name!r})", seconds, every, cron)
        return SilentDecorator(self._recording(partial(BackgroundSpec, name=name, schedule=schedule, scope=scope)))

    def thread(self, name: str, *, auto_start: bool = True, restart: bool = False) -> ThreadDecorator:
        """Run in a thread of its own. Left of the ``*`` stands the switch: ``running: Running``.

        Args:
            name: The name of the thread, for ``threads.start(name)`` and ``threads.stop(name)``.
            auto_start: Whether it starts with the service.
            restart: Whether it is started again, with backoff, after it failed.
        """
        _check_named("thread", name)
        make = partial(ThreadSpec, name=name, auto_start=auto_start, restart=restart)
        return ThreadDecorator(self._recording(make))

    def on_start(self) -> SilentDecorator:
        """Run once when the service starts, before it takes any work. If it fails, the service does not start."""
        return self._lifecycle("start")

    def on_stop(self) -> SilentDecorator:
        """Run once when the service stops, after the last work is done."""
        return self._lifecycle("stop")

    def _lifecycle(self, event: Literal["start", "stop"]) -> SilentDecorator:
        return SilentDecorator(self._recording(partial(LifecycleSpec, event=event)))

    def _recording(self, make: Callable[..., Spec]) -> Record:
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> None:
            self._record(make(function=undecorated(handler), blueprint=self.name, namespace=namespace, site=site))

        return record


def _check_named(decorator: str, given: object, contracts: tuple[type, ...] = ()) -> None:
    """Refuse what is neither a name nor one of the contracts, such as the handler of a decorator without brackets."""
    if isinstance(given, contracts) or (isinstance(given, str) and given):
        return
    kinds = " or ".join(["a name", *(f"`{kind.__name__}`" for kind in contracts)])
    found, remedy = f"it takes {kinds}", f'write @{decorator}("the_name")'
    if inspect.isroutine(given):
        raise _problem(f"@{decorator}", f"it stands here without brackets, and {found}", remedy, "wrong-name")
    raise _problem(f"@{decorator}({given!r})", found, remedy, "wrong-name")


def _problem(subject: str, found: str, remedy: str, code: Code) -> WiringError:
    return WiringError(WiringProblem(caller_place(), subject, found, remedy, code=code))


def _schedule(subject: str, seconds: float | None, every: timedelta | None, cron: str | None) -> Schedule:
    try:
        return make_schedule(seconds, every, cron)
    except ValueError as error:
        found, colon, remedy = str(error).rstrip(".").partition(": ")
        if not colon or not remedy.startswith(("give", "write")):
            found, remedy = str(error).rstrip("."), _SCHEDULES
        raise _problem(subject, found[:1].lower() + found[1:], remedy, "wrong-schedule") from error
