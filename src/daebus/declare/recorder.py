"""The decorators, which record handlers. A blueprint is a recorder, and so is an app."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Literal, Never, TypeVar, Unpack, cast, overload

from daebus.errors import WiringError
from daebus.mistakes.places import call_site, caller_namespace
from daebus.mistakes.problem import WiringProblem

from .contracts import Action, Channel, StreamAction, require_named
from .decorated import ActionHandler, StreamHandler, undecorated
from .decorators import (
    AnswerDecorator,
    ContractDecorator,
    HandlerDecorator,
    ListenDecorator,
    NamedDecorator,
    Record,
    SilentDecorator,
    StreamDecorator,
    ThreadDecorator,
)
from .options import (
    RESERVED_TYPES,
    refuse,
    require_brackets,
    require_choice,
    require_count,
    require_function,
    require_methods,
    require_name,
    require_schedule,
)
from .policies import ActionOptions, ListenOptions, RunOptions, action_policy, listen_options
from .specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    Method,
    RouteSpec,
    SocketSpec,
    Spec,
    ThreadSpec,
)

__all__ = ["Recorder"]

In = TypeVar("In")
Out = TypeVar("Out")
Event = TypeVar("Event")

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
        if not isinstance(name, str) or not name:  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
            kind = type(self).__name__
            raise refuse(f"{kind}({name!r})", f"the name is {name!r}", f'write {kind}("the_name")', "wrong-name")
        if namespace:
            require_name(f"{name!r}, namespace={namespace!r}", namespace)
        if prefix and not prefix.startswith("/"):
            found = "the prefix does not begin with a slash"
            raise refuse(f"{name!r}, prefix={prefix!r}", found, f"write prefix={'/' + prefix!r}", "malformed-path")
        self._prefix = prefix.rstrip("/")
        self._namespace = f"{namespace}." if namespace else ""
        self._specs: list[Spec] = []
        self._closed: str | None = None

    def _close(self, reason: str) -> None:
        """Refuse handlers from now on, for a reason such as "it was registered in app.py:12"."""
        self._closed = self._closed or reason

    def _take_over(self, other: Recorder, reason: str) -> Sequence[Spec]:
        """Close another recorder; returns its handlers, in the order in which they were recorded."""
        other._close(reason)
        return tuple(other._specs)

    def _record(self, spec: Spec) -> None:
        subject = f"{spec.title} of {self.name!r}"
        require_function(subject, spec.function)
        if self._closed is not None:
            found = f"it comes too late: {self._closed}"
            remedy = "define every handler before its blueprint is registered"
            raise WiringError(WiringProblem(spec.place, subject, found, remedy, code="too-late"))
        self._specs.append(spec)

    @overload
    def action(
        self, name: str, *, concurrency: int | None = None, **options: Unpack[ActionOptions]
    ) -> NamedDecorator: ...
    @overload
    def action(
        self, name: Action[In, Out], *, concurrency: int | None = None, **options: Unpack[ActionOptions]
    ) -> ContractDecorator[In, Out]: ...
    @overload
    def action(
        self, name: StreamAction[In, Out], *, concurrency: int | None = None, **options: Unpack[RunOptions]
    ) -> StreamDecorator[In, Out]: ...
    def action(
        self,
        name: str | Action[In, Out] | StreamAction[In, Out],
        *,
        concurrency: int | None = None,
        **options: Unpack[ActionOptions],
    ) -> object:
        """Answer requests of other services, of this one, and of scripts.

        Left of the ``*`` stand the payload, or nothing, and optionally a `Context`. What the handler returns is the
        reply; an async generator streams its items. The decorated name is an `Action` for ``bus.call(...)``.

        Args:
            name: A contract, or a name, to which the blueprint's namespace is added.
            concurrency: How many requests one process handles at once; default: the app's ``max_concurrency``.
            options: ``timeout``: seconds that one run may take. Of requests that were sent, not called, and whose
                handler failed unexpectedly, or for want of another service: ``retries``, how often they are
                handled again (5), after a random time of up to ``backoff`` seconds (1), which doubles each time up
                to ``max_backoff`` (3600). ``keep_replies``: seconds for which the reply to a request with an
                idempotency key is kept (a day).
        """
        require_named("action", name, (Action, StreamAction))
        contract = None if isinstance(name, str) else name
        full = self._namespace + name if isinstance(name, str) else name.name
        if concurrency is not None:
            require_count(f"@action({full!r})", "concurrency", concurrency)
        policy = action_policy(f"@action({full!r})", options)
        make = partial(ActionSpec, name=full, contract=contract, concurrency=concurrency, policy=policy)
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> object:
            function = undecorated(handler)
            spec = make(function=function, blueprint=self.name, namespace=namespace, site=site)
            self._record(spec)
            if inspect.isasyncgenfunction(function):
                action_policy(f"@action({full!r})", options, streams=True)
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
    def listen(self, channel: str, **options: Unpack[RunOptions]) -> SilentDecorator: ...
    @overload
    def listen(self, channel: Channel[Event], **options: Unpack[ListenOptions]) -> ListenDecorator[Event]: ...
    def listen(self, channel: str | Channel[Event], **options: Unpack[ListenOptions]) -> object:
        """Hear the events of a channel. Left of the ``*`` stands the event; several listeners may share a channel.

        Args:
            channel: A contract, or the name of a channel that is not durable.
            options: ``timeout``, and for a durable channel ``retries``, ``backoff``, ``max_backoff``, as in `action`,
                for the listener that failed alone, and ``name``, ``renamed_from`` and ``start``, as in `Place`.
        """
        require_named("listen", channel, (Channel,), colons=True)
        contract = None if isinstance(channel, str) else cast("Channel[object]", channel)
        name = channel if isinstance(channel, str) else channel.name
        durable = contract is not None and contract.durable
        policy, place = listen_options(f"@listen({name!r})", options, durable=durable)
        record = self._recording(partial(ListenSpec, channel=name, contract=contract, policy=policy, kept_as=place))
        return SilentDecorator(record) if contract is None else ListenDecorator[object](record)

    def route(
        self, path: str, *, methods: Sequence[Method] = ("GET",), status_code: int | None = None, **options: object
    ) -> HandlerDecorator:
        """Answer HTTP requests.

        Left of the ``*`` stands whatever Litestar takes: path and query parameters, ``data``, ``headers``,
        ``cookies``, ``request``. What it returns is the body, or any Litestar response; ``-> None`` means 204.

        Args:
            path: Such as ``/users/<user_id>``; the blueprint's prefix is put before it, and an empty one is the prefix.
            methods: HTTP methods.
            status_code: Of a success; default: 200, and 204 where nothing is returned.
            options: Whatever Litestar's route handlers take: guards, middleware, tags, summary, …
        """
        upper = require_methods(path, methods)
        # A path that begins with no slash is told when the route is compiled, together with its other mistakes.
        full = path if path and not path.startswith("/") else self._prefix + path
        make = partial(RouteSpec, path=full, methods=upper, status_code=status_code, options=options)
        return HandlerDecorator(self._recording(make))

    def socket(self, message_type: str) -> AnswerDecorator:
        """Answer WebSocket messages of one type.

        Left of the ``*`` stand the data and the `Client`, told apart by type; either may be left out. What it
        returns is the answer, None: no answer.
        """
        require_named("socket", message_type, colons=True)
        full = self._namespace + message_type
        if full in RESERVED_TYPES:
            found = f"messages of the type {full!r} are the answers that clients get, and none sends one"
            raise refuse(f"@socket({full!r})", found, "give the message another name", "reserved-name")
        return AnswerDecorator(self._socket("message", full))

    def socket_register(self, *without_brackets: Never) -> AnswerDecorator:
        """Answer WebSocket messages of the type ``register``."""
        require_brackets("socket_register", without_brackets)
        return AnswerDecorator(self._socket("message", "register"))

    def socket_connect(self, *without_brackets: Never) -> AnswerDecorator:
        """Decide on a new WebSocket client: return to accept it, with a greeting or None; raise `Reject` to refuse.

        Left of the ``*`` stand the parameters of the query string, decoded into a struct, and the `Client`.
        """
        require_brackets("socket_connect", without_brackets)
        return AnswerDecorator(self._socket("connect", ""))

    def socket_disconnect(self, *without_brackets: Never) -> SilentDecorator:
        """Run after a WebSocket client has gone, however it went. Left of the ``*`` may stand the `Client`."""
        require_brackets("socket_disconnect", without_brackets)
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
        require_named("background", name)
        schedule = require_schedule(f"@background({name!r})", seconds, every, cron)
        require_choice(f"@background({name!r})", "scope", scope, ("service", "replica"))
        return SilentDecorator(self._recording(partial(BackgroundSpec, name=name, schedule=schedule, scope=scope)))

    def thread(self, name: str, *, auto_start: bool = True, restart: bool = False) -> ThreadDecorator:
        """Run in a thread of its own. Left of the ``*`` stands the switch: ``running: Running``.

        Args:
            name: The name of the thread, for ``threads.start(name)`` and ``threads.stop(name)``.
            auto_start: Whether it starts with the service.
            restart: Whether it is started again, with backoff, after it failed.
        """
        require_named("thread", name)
        return ThreadDecorator(self._recording(partial(ThreadSpec, name=name, auto_start=auto_start, restart=restart)))

    def on_start(self, *without_brackets: Never) -> SilentDecorator:
        """Run once when the service starts, before it takes any work. If it fails, the service does not start."""
        require_brackets("on_start", without_brackets)
        return self._lifecycle("start")

    def on_stop(self, *without_brackets: Never) -> SilentDecorator:
        """Run once when the service stops, after the last work; also after a failed start, to close what it opened."""
        require_brackets("on_stop", without_brackets)
        return self._lifecycle("stop")

    def _lifecycle(self, event: Literal["start", "stop"]) -> SilentDecorator:
        return SilentDecorator(self._recording(partial(LifecycleSpec, event=event)))

    def _recording(self, make: Callable[..., Spec]) -> Record:
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> None:
            self._record(make(function=undecorated(handler), blueprint=self.name, namespace=namespace, site=site))

        return record
