"""The decorators that record handlers. Blueprints and apps are recorders."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal, Never, TypeVar, Unpack, cast, overload

from daebus.mistakes.places import call_site, caller_namespace
from daebus.payloads.encodable import Encodable

from .contracts import Action, Channel, StreamAction
from .decorated import ActionHandler, StreamHandler, undecorated
from .decorators import (
    ContractDecorator,
    HandlerDecorator,
    ListenDecorator,
    NamedDecorator,
    NoDecorator,
    NoInterval,
    SilentDecorator,
    StreamDecorator,
    ThreadDecorator,
)
from .deferring import collecting
from .options import (
    Requires,
    require_brackets,
    require_choice,
    require_methods,
    require_schedule,
)
from .paths import RouteOptions
from .policies import (
    ActionOptions,
    AnyActionOptions,
    ListenOptions,
    RunOptions,
    StreamOptions,
    TaskOptions,
    action_policy,
    listen_options,
    task_policy,
)
from .recording import SocketRecorder, require_named
from .specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    Method,
    RouteSpec,
    ThreadSpec,
)

__all__ = ["Recorder"]

In = TypeVar("In", bound=Encodable)
Out = TypeVar("Out", bound=Encodable)
Event = TypeVar("Event", bound=Encodable)

AnyHandler = Callable[..., object]


@collecting
class Recorder(SocketRecorder):
    """The decorators; each records one kind of handler."""

    @overload
    def action(
        self, name: str, *, concurrency: int | None = None, **options: Unpack[AnyActionOptions]
    ) -> NamedDecorator: ...
    @overload
    def action(
        self, name: Action[In, Out], *, concurrency: int | None = None, **options: Unpack[ActionOptions]
    ) -> ContractDecorator[In, Out]: ...
    @overload
    def action(
        self, name: StreamAction[In, Out], *, concurrency: int | None = None, **options: Unpack[StreamOptions]
    ) -> StreamDecorator[In, Out]: ...
    def action(
        self,
        name: str | Action[In, Out] | StreamAction[In, Out],
        *,
        concurrency: int | None = None,
        **options: Unpack[AnyActionOptions],
    ) -> object:
        """Answer requests from other services, from this service and from scripts.

        Left of the ``*``, the handler takes the payload, if there is one, and optionally a `Context`. Its return value
        is the reply; an async generator streams its items. The decorated name is an `Action` for ``bus.call(...)``.

        Args:
            name: A contract, or a name, to which the blueprint's namespace is added.
            concurrency: How many requests one process handles at once; default: the app's ``max_concurrency``.
            options: ``timeout``: seconds that one run may take. ``requires``: functions of the user and, if they have a
                second parameter, of the payload; a message is answered with `Forbidden` unless each of them returns
                True. The retry options apply to requests that were sent (not
                called) and whose handler failed unexpectedly or because another service was unavailable. ``retries``:
                how often such a request is redelivered (5). ``backoff``: the upper limit in seconds of the random delay
                before a retry (1); it doubles each time, up to ``max_backoff`` (3600). ``keep_replies``: seconds for
                which the reply to a request with an idempotency key is kept (a day). ``http``: opens the action as a
                route, such as ``"GET /users/<id>"``; ``socket``: as WebSocket messages of this type; ``sse``: if it
                streams, as server-sent events, such as ``"GET /users/import"``. A blueprint puts its prefix before the
                path, its namespace before the type. ``status_code``: the status of a success of the route (200, or 204
                if the handler returns nothing). ``raises``, ``tags``: errors and tags of the route, for OpenAPI.
                ``event_id``: the field of the items that is the id of each server-sent event; ``resume``: the field of
                the payload that gets the id of the last event, if a client comes back.
                ``tool``: opens the action to assistants (False).
        """
        require_named("action", name, (Action, StreamAction))
        contract = None if isinstance(name, str) else name
        full = self._namespace + name if isinstance(name, str) else name.name
        own = self._action_options(f"@action({full!r})", full, concurrency, cast("dict[str, Any]", options))
        doors = self._doors(f"@action({full!r})", cast("dict[str, Any]", options))
        policy = action_policy(f"@action({full!r})", options)
        make = partial(ActionSpec, name=full, contract=contract, policy=policy, **own)
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> object:
            function = undecorated(handler)
            spec = make(function=function, blueprint=self.name, namespace=namespace, site=site)
            self._record(spec)
            for door in doors:
                self._record(door(spec))
            if inspect.isasyncgenfunction(function):
                action_policy(f"@action({full!r})", options, streams=True)
                return StreamHandler[None, None, ..., object](handler, spec)
            return ActionHandler[None, None, ..., object](handler, spec)

        match name:
            case str():
                return NamedDecorator(record)
            case StreamAction():
                return StreamDecorator[None, None](record)
            case _:
                return ContractDecorator[None, None](record)

    @overload
    def listen(self, channel: str, **options: Unpack[RunOptions]) -> SilentDecorator: ...
    @overload
    def listen(self, channel: Channel[Event], **options: Unpack[ListenOptions]) -> ListenDecorator[Event]: ...
    def listen(self, channel: str | Channel[Event], **options: Unpack[ListenOptions]) -> object:
        """Subscribe to the events of a channel. Left of the ``*``, the handler takes the event.

        Args:
            channel: A contract, or the name of a channel that is not durable.
            options: ``timeout``: seconds that one run may take. ``requires``: as in `action`; a refused event is a
                failure. A durable channel also takes ``retries``, ``backoff`` and ``max_backoff`` as in `action` (only
                the listener that failed gets the event again), and ``name``, ``renamed_from`` and ``start`` as in
                `ListenerIdentity`. Several listeners may share a channel.
        """
        require_named("listen", channel, (Channel,), colons=True)
        contract = None if isinstance(channel, str) else cast("Channel[Encodable]", channel)
        name = channel if isinstance(channel, str) else channel.name
        durable = contract is not None and contract.durable
        guards = self._guards(f"@listen({name!r})", options.pop("requires", ()))
        policy, identity = listen_options(f"@listen({name!r})", options, durable=durable)
        make = partial(ListenSpec, channel=name, contract=contract, policy=policy, identity=identity, requires=guards)
        record = self._recording(make, f"@listen({name!r})", policy.timeout)
        return SilentDecorator(record) if contract is None else ListenDecorator[None](record)

    def route(
        self,
        path: str,
        *,
        methods: Sequence[Method] = ("GET",),
        status_code: int | None = None,
        timeout: float | None = None,
        requires: Requires = (),
        **options: Unpack[RouteOptions],
    ) -> HandlerDecorator:
        """Answer HTTP requests.

        Left of the ``*``, the handler takes any parameters of Litestar: path and query parameters, ``data``,
        ``headers``, ``cookies``, ``request``. It returns the body, or any Litestar response; ``-> None`` means 204.

        Args:
            path: The path, such as ``/users/<user_id>``, after the blueprint's prefix; an empty path is the prefix
                itself.
            methods: HTTP methods.
            status_code: The status of a success; default: 200, or 204 if the handler returns nothing.
            timeout: Seconds after which the handler is cancelled and the client gets 504; None: no limit. The time to
                send a streamed body does not count.
            requires: Functions of the user and of parameters of the handler, by name: ``may_see(user, user_id)``. A
                client gets 403 unless each of them returns True.
            options: Any option of Litestar's route handlers: guards, middleware, tags, summary, …
        """
        upper = require_methods(path, methods)
        # A path without a leading slash is reported when the route is compiled, together with its other mistakes.
        full = path if path and not path.startswith("/") else self._prefix + path
        guards = self._guards(f"@route({full!r})", requires)
        make = partial(RouteSpec, path=full, methods=upper, status_code=status_code, options=options, requires=guards)
        return HandlerDecorator(self._recording(make, f"@route({full!r})", timeout))

    @overload
    def background(self, name: str, seconds: NoInterval, **options: Unpack[TaskOptions]) -> NoDecorator: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def background(self, name: str, seconds: float, **options: Unpack[TaskOptions]) -> SilentDecorator: ...
    @overload
    def background(self, name: str, *, every: timedelta, **options: Unpack[TaskOptions]) -> SilentDecorator: ...
    @overload
    def background(self, name: str, *, cron: str, **options: Unpack[TaskOptions]) -> SilentDecorator: ...
    def background(
        self,
        name: str,
        seconds: float | None = None,
        *,
        every: timedelta | None = None,
        cron: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> SilentDecorator | NoDecorator:
        """Run on a schedule, on one replica at a time, never overlapping itself.

        Args:
            name: The name of the task; Redis keeps the time of its last run under this name.
            seconds: The interval, in seconds.
            every: The interval, as a `timedelta`.
            cron: A cron expression of five fields.
            options: ``scope``: ``service``: on one replica at a time; ``replica``: on each. ``timeout``: seconds after
                which a run is cancelled and counts as failed (no limit). ``zone``: the time zone of ``cron`` (UTC).
                ``jitter``: the upper limit in seconds of the delay of each run (0). ``overlap``: what becomes of a run
                that is due during another one: ``wait``: it starts after it, and several become one; ``skip``: it is
                missed; ``cancel``: the other one is cancelled. ``catch_up``: with ``cron``, how many seconds ago a
                missed run may lie and is still made up (those missed become one run). ``pause_after``: after how many
                failures in a row the schedule is paused (never). ``history``: how many runs are kept (100).
        """
        require_named("background", name)
        subject, scope = f"@background({name!r})", options.get("scope", "service")
        schedule = require_schedule(subject, seconds, every, cron, options.get("zone"))
        require_choice(subject, "scope", scope, ("service", "replica"))
        policy = task_policy(subject, options, schedule)
        make = partial(BackgroundSpec, name=name, schedule=schedule, scope=scope, policy=policy)
        return SilentDecorator(self._recording(make, subject, options.get("timeout")))

    def thread(
        self, name: str, *, auto_start: bool = True, restart: bool = False, timeout: float | None = None
    ) -> ThreadDecorator:
        """Run in a thread of its own. Left of the ``*``, the handler takes the switch: ``running: Running``.

        Args:
            name: The name of the thread, for ``threads.start(name)`` and ``threads.stop(name)``.
            auto_start: Whether it starts with the service.
            restart: Whether the thread is restarted, with backoff, after a failure.
            timeout: Seconds after which the switch is turned off, as by ``threads.stop(name)``. The thread must then
                return by itself; it is never cancelled. None: it runs until it is stopped.
        """
        require_named("thread", name)
        make = partial(ThreadSpec, name=name, auto_start=auto_start, restart=restart)
        return ThreadDecorator(self._recording(make, f"@thread({name!r})", timeout))

    def on_start(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run once when the service starts, before it takes any work. If it fails, the service does not start.

        Args:
            without_brackets: Nothing. A handler here means that the brackets of the decorator are missing.
            timeout: Seconds after which the handler counts as failed; None: no limit.
        """
        require_brackets("on_start", without_brackets)
        return self._lifecycle("start", timeout)

    def on_stop(self, *without_brackets: Never, timeout: float | None = None) -> SilentDecorator:
        """Run once when the service stops, after the last work; also after a failed start, to close what it opened.

        Args:
            without_brackets: Nothing. A handler here means that the brackets of the decorator are missing.
            timeout: Seconds after which the handler is cancelled, which is logged; None: no limit.
        """
        require_brackets("on_stop", without_brackets)
        return self._lifecycle("stop", timeout)

    def _lifecycle(self, event: Literal["start", "stop"], timeout: float | None) -> SilentDecorator:
        return SilentDecorator(self._recording(partial(LifecycleSpec, event=event), f"@on_{event}", timeout))
