"""The decorators, which record handlers. A blueprint is a recorder, and so is an app."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Literal, Never, TypeVar, Unpack, cast, overload

from daebus.mistakes.places import call_site, caller_namespace

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
    require_methods,
    require_schedule,
)
from .policies import ActionOptions, ListenOptions, RunOptions, action_policy, listen_options
from .recording import Recording
from .specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    Method,
    RouteSpec,
    SocketSpec,
    ThreadSpec,
)

__all__ = ["Recorder"]

In = TypeVar("In")
Out = TypeVar("Out")
Event = TypeVar("Event")

AnyHandler = Callable[..., object]


class Recorder(Recording):
    """The decorators, each for one kind of handler."""

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
        make = partial(ListenSpec, channel=name, contract=contract, policy=policy, kept_as=place)
        record = self._recording(make, f"@listen({name!r})", policy.timeout)
        return SilentDecorator(record) if contract is None else ListenDecorator[object](record)

    def route(
        self,
        path: str,
        *,
        methods: Sequence[Method] = ("GET",),
        status_code: int | None = None,
        timeout: float | None = None,
        **options: object,
    ) -> HandlerDecorator:
        """Answer HTTP requests.

        Left of the ``*`` stands whatever Litestar takes: path and query parameters, ``data``, ``headers``,
        ``cookies``, ``request``. What it returns is the body, or any Litestar response; ``-> None`` means 204.

        Args:
            path: Such as ``/users/<user_id>``; the blueprint's prefix is put before it, and an empty one is the prefix.
            methods: HTTP methods.
            status_code: Of a success; default: 200, and 204 where nothing is returned.
            timeout: Seconds after which the handler is cancelled, and the client gets 504; None: as long as it takes.
                The sending of a body that is made while it is sent is not part of it.
            options: Whatever Litestar's route handlers take: guards, middleware, tags, summary, …
        """
        upper = require_methods(path, methods)
        # A path that begins with no slash is told when the route is compiled, together with its other mistakes.
        full = path if path and not path.startswith("/") else self._prefix + path
        make = partial(RouteSpec, path=full, methods=upper, status_code=status_code, options=options)
        return HandlerDecorator(self._recording(make, f"@route({full!r})", timeout))

    def socket(self, message_type: str, *, timeout: float | None = None) -> AnswerDecorator:
        """Answer WebSocket messages of one type.

        Left of the ``*`` stand the data and the `Client`, told apart by type; either may be left out. What it
        returns is the answer, None: no answer.

        Args:
            message_type: The ``type`` of the messages; the blueprint's namespace is put before it.
            timeout: Seconds after which the handler is cancelled, and the client gets the error ``timeout``; None: as
                long as it takes.
        """
        require_named("socket", message_type, colons=True)
        full = self._namespace + message_type
        if full in RESERVED_TYPES:
            found = f"messages of the type {full!r} are the answers that clients get, and none sends one"
            raise refuse(f"@socket({full!r})", found, "give the message another name", "reserved-name")
        return AnswerDecorator(self._socket("message", full, timeout))

    def socket_register(self, *without_brackets: Never, timeout: float | None = None) -> AnswerDecorator:
        """Answer WebSocket messages of the type ``register``, within `timeout` seconds as in `socket`."""
        require_brackets("socket_register", without_brackets)
        return AnswerDecorator(self._socket("message", "register", timeout))

    def socket_connect(self, *without_brackets: Never, timeout: float | None = None) -> AnswerDecorator:
        """Decide on a new WebSocket client: return to accept it, with a greeting or None; raise `Reject` to refuse.

        Left of the ``*`` stand the parameters of the query string, decoded into a struct, and the `Client`.
        A handler that takes longer than `timeout` seconds is cancelled, and the client refused with 504.
        """
        require_brackets("socket_connect", without_brackets)
        return AnswerDecorator(self._socket("connect", "", timeout))

    def socket_disconnect(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run after a WebSocket client has gone, however it went. Left of the ``*`` may stand the `Client`.

        A handler that takes longer than `timeout` seconds is cancelled, and the log tells of it.
        """
        require_brackets("socket_disconnect", without_brackets)
        return SilentDecorator(self._socket("disconnect", "", timeout))

    def _socket(
        self, event: Literal["message", "connect", "disconnect"], message_type: str, timeout: float | None
    ) -> Record:
        title = f"@socket({message_type!r})" if event == "message" else f"@socket_{event}"
        return self._recording(partial(SocketSpec, event=event, type=message_type), title, timeout)

    @overload
    def background(
        self,
        name: str,
        seconds: float,
        *,
        scope: Literal["service", "replica"] = "service",
        timeout: float | None = None,
    ) -> SilentDecorator: ...
    @overload
    def background(
        self,
        name: str,
        *,
        every: timedelta,
        scope: Literal["service", "replica"] = "service",
        timeout: float | None = None,
    ) -> SilentDecorator: ...
    @overload
    def background(
        self, name: str, *, cron: str, scope: Literal["service", "replica"] = "service", timeout: float | None = None
    ) -> SilentDecorator: ...
    def background(
        self,
        name: str,
        seconds: float | None = None,
        *,
        every: timedelta | None = None,
        cron: str | None = None,
        scope: Literal["service", "replica"] = "service",
        timeout: float | None = None,
    ) -> SilentDecorator:
        """Run on a schedule, on one replica at a time, never overlapping itself.

        Args:
            name: The name of the task, under which its last run is recorded in Redis.
            seconds: The interval, in seconds.
            every: The interval, as a `timedelta`.
            cron: A cron expression of five fields, in UTC.
            scope: ``service``: on one replica at a time; ``replica``: on each.
            timeout: Seconds after which a run is cancelled, and has failed; None: as long as it takes.
        """
        require_named("background", name)
        schedule = require_schedule(f"@background({name!r})", seconds, every, cron)
        require_choice(f"@background({name!r})", "scope", scope, ("service", "replica"))
        make = partial(BackgroundSpec, name=name, schedule=schedule, scope=scope)
        return SilentDecorator(self._recording(make, f"@background({name!r})", timeout))

    def thread(
        self, name: str, *, auto_start: bool = True, restart: bool = False, timeout: float | None = None
    ) -> ThreadDecorator:
        """Run in a thread of its own. Left of the ``*`` stands the switch: ``running: Running``.

        Args:
            name: The name of the thread, for ``threads.start(name)`` and ``threads.stop(name)``.
            auto_start: Whether it starts with the service.
            restart: Whether it is started again, with backoff, after it failed.
            timeout: Seconds after which its switch is turned off, as by ``threads.stop(name)``: nothing ends a thread
                but itself. None: it runs until it is stopped.
        """
        require_named("thread", name)
        make = partial(ThreadSpec, name=name, auto_start=auto_start, restart=restart)
        return ThreadDecorator(self._recording(make, f"@thread({name!r})", timeout))

    def on_start(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run once when the service starts, before it takes any work. If it fails, the service does not start.

        To take longer than `timeout` seconds is to fail.
        """
        require_brackets("on_start", without_brackets)
        return self._lifecycle("start", timeout)

    def on_stop(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run once when the service stops, after the last work; also after a failed start, to close what it opened.

        A handler that takes longer than `timeout` seconds is cancelled, and the log tells of it.
        """
        require_brackets("on_stop", without_brackets)
        return self._lifecycle("stop", timeout)

    def _lifecycle(self, event: Literal["start", "stop"], timeout: float | None) -> SilentDecorator:
        return SilentDecorator(self._recording(partial(LifecycleSpec, event=event), f"@on_{event}", timeout))
