"""The edge of an app: its Litestar application, whose lifespan is one run of the service, and the servers of a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from daebus.app.assembly import Assembly
from daebus.app.documents import served_openapi
from daebus.app.kinds import ROUTE
from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.core.private_parts import require
from daebus.delivery.grace import Grace
from daebus.doors.heads import heads_of
from daebus.embedded.deployment import is_isolated
from daebus.errors import Unavailable
from daebus.health.probes import PROBES, Probes
from daebus.health.readiness import Health
from daebus.mcp.opening import open_tools
from daebus.payloads.schemas import Json
from daebus.server.limits import ServerLimits, SocketLimits
from daebus.server.reach import describe_reach
from daebus.telemetry.logs import make_logger

from .listening import AS_CONFIGURED, Address, Listening, addresses_of, health_address, reserve
from .probing import serving_probes
from .runtime import Runtime, open_runtime

if TYPE_CHECKING:
    from litestar import Litestar

    from daebus.http.application import Application
    from daebus.server.server import HttpServer
    from daebus.websocket.hub import SocketHub

__all__ = ["Served", "Web", "WebServers", "serve"]


class Web:
    """The Litestar applications of an app.

    If the service does not run yet, the lifespan of the application runs it.

    Args:
        made: The app.
        probes: Whether the probes of its health are served, unless `DaebusHttp` says otherwise.

    Attributes:
        litestar: Serves its routes and WebSockets.

    Raises:
        ConfigurationError: Litestar refuses the options of `DaebusHttp`.
        WiringError: With all the routes that Litestar does not take.
        StartupError: The installed Litestar is not one that daebus works with.
    """

    def __init__(self, made: Assembly, *, probes: bool = True) -> None:
        self._made = made
        self._probes = _probed(made, probes=probes)
        self._runtime: Runtime | None = None
        self.litestar: Application = self._build(made.http or DaebusHttp(schema=False))

    @property
    def runtime(self) -> Runtime:
        """The run of the service. Raises `Unavailable` if it does not run."""
        if self._runtime is None:
            raise Unavailable("The service is not running: the server must run the ASGI lifespan")
        return self._runtime

    def attach(self, runtime: Runtime, *, development: bool = False) -> None:
        """Serve a run of the service that the caller starts and stops; `development`: with its documentation."""
        self._runtime, runtime.openapi = runtime, partial(served_openapi, self._made, self.litestar)
        self.litestar.probed, self.litestar.probes = self._probes, Probes(runtime.health, details=False)
        documentation, http = self.litestar.documentation, self._made.http
        if http is not None and http.schema is None:
            documentation.is_open = development or runtime.node.server.is_embedded

    def socket_application(self) -> Application:
        """A second application that serves only the WebSockets, for a port of their own."""
        return self._build(DaebusHttp(schema=False), alone=True)

    def _build(self, http: DaebusHttp, *, alone: bool = False) -> Application:
        from daebus.http.litestar_internals import REQUIRED  # noqa: PLC0415  # it loads Litestar

        require("litestar", REQUIRED)
        from daebus.http.application import Documents, HttpRoute, build_litestar  # noqa: PLC0415
        from daebus.websocket.hub import socket_handler  # noqa: PLC0415

        made = self._made
        plans = made.plans.of(ROUTE)
        routes = [HttpRoute(plan.spec, plan.endpoint) for plan in plans]
        routes += [HttpRoute(head, plans[index].endpoint) for index, head in heads_of([plan.spec for plan in plans])]
        websocket = made.websocket
        own_port = websocket is not None and websocket.port is not None and (alone or made.http is None)
        sockets = [] if websocket is None else [socket_handler(None if own_port else websocket.path, self._hub)]
        tools = None if alone or made.http is None else open_tools(made, http.limits.max_body_size)
        others = [] if alone else made.http_handlers()
        return build_litestar(
            http,
            [] if alone else routes,
            service=made.service,
            stopping=made.stopping,
            logger=make_logger(service=made.service),
            documents=Documents(made.version, partial(_asyncapi, made)),
            extra_handlers=[*sockets, *others, *([] if tools is None else [tools.handler()])],
            lifespan=[] if alone else [self._lifespan, *([] if tools is None else [tools.lifespan])],
        )

    def _hub(self) -> SocketHub:
        hub = self.runtime.hub
        if hub is None:
            raise Unavailable("The service has no WebSockets")
        return hub

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncGenerator[None]:
        if self._runtime is not None:
            yield
            return
        async with open_runtime(self._made, redis_url=None) as runtime:
            self.attach(runtime)
            try:
                yield
            finally:
                self._runtime = None


def _probed(made: Assembly, *, probes: bool) -> frozenset[str]:
    """The paths of the probes that are served, without those of the routes of the app."""
    http = made.http
    if http is None or not (probes if http.health is None else http.health):
        return frozenset()
    return PROBES - {plan.spec.path for plan in made.plans.of(ROUTE)}


def _asyncapi(made: Assembly) -> Json:
    from daebus.export.asyncapi import asyncapi  # noqa: PLC0415  # only here documents are needed

    return asyncapi(made)


class Served(msgspec.Struct, frozen=True):
    """A running service with its servers.

    Attributes:
        runtime: The run.
        ports: The TCP ports that it listens on: ``http``, and ``websocket`` and ``health`` where those have one of
            their own.
    """

    runtime: Runtime
    ports: Mapping[str, int]


@asynccontextmanager
async def serve(
    made: Assembly,
    *,
    redis_url: str | None = None,
    listening: Listening = AS_CONFIGURED,
    development: bool = False,
    tells_end: bool = True,
) -> AsyncGenerator[Served]:
    """Run a service and serve its HTTP and WebSockets; at the end stop them, in this order.

    Args:
        made: The app, from `Daebus.check`.
        redis_url: The server; default: the environment's, or the embedded one.
        listening: Where it listens, if its components should not decide.
        development: Whether the routes are documented if the app does not say and the engine is not the embedded one.
        tells_end: See `open_runtime`.

    Raises:
        ConfigurationError: A setting is wrong.
        WiringError: With all the routes that Litestar does not take.
        StartupError: It could not start.
    """
    addresses, probed = addresses_of(made, listening), health_address(made, listening)
    # Done before anything is started: if Litestar refuses it, there is a mistake in the code.
    web = Web(made, probes=probed is None) if addresses else None
    wanted = addresses if probed is None else {**addresses, "health": probed}
    logger = make_logger(service=made.service)
    health = Health(logger)
    async with AsyncExitStack() as stack:
        if not listening.share_port:
            # Also done early: a port that is in use is the most likely mistake.
            wanted = reserve(stack.enter_context(ExitStack()), wanted)
        ports: dict[str, int] = {}
        if "health" in wanted:
            # Until everything else has stopped, so that an orchestrator sees that the process lives.
            serving = serving_probes(health, *wanted.pop("health"), logger=logger)
            ports["health"] = await stack.enter_async_context(serving)
        servers = [] if web is None else [WebServers(web, made, wanted, development=development)]
        opening = open_runtime(made, redis_url, servers, health=health, tells_end=tells_end)
        runtime = await stack.enter_async_context(opening)
        yield Served(runtime, {**ports, **(servers[0].ports if servers else {})})


class WebServers:
    """The HTTP and WebSocket servers, as a part: it is opened last and closed first.

    Args:
        web: The Litestar applications.
        made: The app.
        addresses: The addresses that they listen on.
        development: See `serve`.

    Attributes:
        ports: The TCP ports that they listen on, once the part is open.
    """

    def __init__(self, web: Web, made: Assembly, addresses: Mapping[str, Address], *, development: bool) -> None:
        self._web = web
        self._made = made
        self._addresses = addresses
        self._development = development
        self.ports: dict[str, int] = {}

    @asynccontextmanager
    async def serving(self, run: Runtime) -> AsyncGenerator[None]:
        """Accept clients until the end."""
        web = self._web
        web.attach(run, development=self._development)
        async with _lifespan(web.litestar), AsyncExitStack() as stack:
            for name, (host, _) in self._addresses.items():
                application = web.litestar if name == "http" or self._made.http is None else web.socket_application()
                application.guard.listens_on(host)
                await self._listen(name, application, run, stack)
            if run.hub is not None:
                # The server would cut WebSocket clients off, so they are disconnected properly first.
                stack.push_async_callback(run.disconnect_clients, run.hub)
            yield

    async def _listen(self, name: str, application: Application, run: Runtime, stack: AsyncExitStack) -> None:
        from daebus.server.server import HttpServer  # noqa: PLC0415  # it loads Granian

        host, port = self._addresses[name]
        server = HttpServer(
            application,
            host=host,
            port=port,
            logger=run.logger,
            share_port=True,
            limits=_limits(self._made, servers=len(self._addresses)),
            budget=run.budget,
            cancels=() if self._made.http is None else self._made.http.cancels,
        )
        stack.push_async_callback(_stop, server, run.grace)
        self.ports[name] = await server.start()
        reach = describe_reach(server.address, isolated=is_isolated())
        run.logger.info("listening", protocol=name, host=host, port=self.ports[name], **reach)


def _limits(made: Assembly, *, servers: int) -> ServerLimits:
    """The limits for clients; `servers`: how many servers share the limits of the process."""
    http, websocket = made.http or DaebusHttp(), made.websocket or DaebusWebSocket()
    return ServerLimits(
        body_timeout=http.limits.body_timeout,
        min_rate=http.limits.min_rate,
        connections=http.limits.max_connections,
        per_address=http.limits.max_per_address,
        http2=http.http2,
        servers=servers,
        sockets=SocketLimits(
            message_size=websocket.limits.max_message_size,
            ping_interval=websocket.ping_interval,
            per_address=websocket.limits.max_per_address,
        ),
    )


async def _stop(server: HttpServer, grace: Grace) -> None:
    await server.stop(grace.left, grace.cut)


@asynccontextmanager
async def _lifespan(litestar: Litestar) -> AsyncGenerator[None]:
    """Run the lifespan of an application; its inner task group must not wrap the exceptions."""
    raised: BaseException | None = None
    try:
        async with litestar.lifespan():
            try:
                yield
            except BaseException as error:  # it is raised again below
                raised = error
    except BaseExceptionGroup as group:
        raise (group.exceptions[0] if len(group.exceptions) == 1 else group) from None
    if raised is not None:
        raise raised
