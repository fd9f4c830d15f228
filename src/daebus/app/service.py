"""`Daebus`: the app, which combines handlers, a container and components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, cast

from typing_extensions import TypeVar

from daebus.asgi.settings import DaebusHttp, DaebusWebSocket
from daebus.declare.deferring import collect, defer
from daebus.declare.options import require_name
from daebus.declare.recorder import Recorder
from daebus.declare.specs import RouteSpec
from daebus.delivery.interceptors import NONE, AnyInterceptor
from daebus.delivery.workers import WorkerPool
from daebus.errors import ConfigurationError, WiringError
from daebus.mistakes.places import CallSite, call_site, caller_place
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.wiring.container_checks import check_container
from daebus.wiring.interceptors import read_interceptors

from .assembly import Assembly
from .blueprint import Blueprint, interceptors_of, refuse_misfit, require_blueprint
from .checks import (
    Attached,
    ServiceName,
    find_foreign,
    find_in_container,
    find_misnamed,
    find_unattached,
    find_undecodable,
)
from .component import AttachedComponent, Component, opened_interceptors, require_component
from .container import ServiceContainer
from .plans import Plans
from .settings import Settings, read_settings, unknown_option
from .warnings import find_idle, find_misspelt_channels

if TYPE_CHECKING:
    from litestar import Litestar

    from daebus.process.loop import Loop

    from .running.web import Web

__all__ = ["Daebus"]

_NAME_IT = 'call app.run(service="..."), use daebus run --service, or write Daebus(..., service="...")'

_OPTIONS = ["name", "container", "service", "settings", "interceptors"]

C = TypeVar("C", bound=ServiceContainer, default=ServiceContainer)


class Daebus(Recorder, Generic[C]):
    """A service: its blueprints and handlers, its container, and the attached components.

    Args:
        name: The name of the app; also the name of the service, unless `service` or ``run(service=...)`` gives another.
        container: Provides the services right of the ``*``; default: a plain `ServiceContainer`.
        interceptors: The interceptors of all messages that handlers receive and send; the first is the outermost; see
            `daebus.interceptors`.
        service: The name under which other services reach it.
        settings: How it runs; default: `Settings()`.

    Raises:
        WiringError: The container, an interceptor or the name of the service is not valid.
    """

    if not TYPE_CHECKING:

        def __new__(cls, *_arguments: object, **options: object) -> object:  # noqa: D102  # as __init__
            if unknown := [name for name in options if name not in _OPTIONS]:
                raise unknown_option("Daebus(...)", unknown[0], _OPTIONS[1:])
            return super().__new__(cls)

    def __init__(
        self,
        name: str,
        *,
        container: C | None = None,
        service: str | None = None,
        settings: Settings | None = None,
        interceptors: Sequence[AnyInterceptor] = (),
    ) -> None:
        super().__init__(name)
        self._site = call_site()
        subject = f"Daebus({name!r})"
        if service is not None:
            collect(lambda: require_name(f"Daebus({name!r}, service={service!r})", service), None)
        self._settings = collect(lambda: read_settings(subject, settings), Settings())
        self._interceptors = collect(lambda: read_interceptors(subject, interceptors), NONE)
        self._container = _checked(container if container is not None else cast("C", ServiceContainer()))
        self._service = service
        self._workers = WorkerPool(self._settings.max_workers)
        self._plans = Plans(self._container, self._workers, self._settings.on_conflict)
        self._blueprints: dict[str, str] = {}
        self._http: DaebusHttp | None = None
        self._websocket: DaebusWebSocket | None = None
        self._attached: dict[type, CallSite] = {}
        self._components: list[AttachedComponent] = []
        self._planned = 0
        self._deferred: list[WiringProblem] = []
        self._web: Web | None = None

    @property
    def container(self) -> C:
        """The container, for overrides in tests."""
        return self._container

    @property
    def http(self) -> DaebusHttp | None:
        """The HTTP component, if one is attached."""
        return self._http

    @property
    def websocket(self) -> DaebusWebSocket | None:
        """The WebSocket component, if one is attached."""
        return self._websocket

    def attach(self, component: DaebusHttp | DaebusWebSocket | Component) -> None:
        """Attach HTTP, WebSocket, or a component of your own, before the app starts.

        Args:
            component: A `DaebusHttp`, a `DaebusWebSocket`, or a `Component`: any object with its method `serving`.

        Raises:
            WiringError: The object is not a component, or it or another one of its kind is already attached.
        """
        collect(lambda: self._attach(component), None)

    def _attach(self, component: DaebusHttp | DaebusWebSocket | Component) -> None:
        kind = type(component)
        subject = f"attach({kind.__name__}())"
        self._refuse_late(subject)
        if isinstance(component, DaebusHttp | DaebusWebSocket):
            earlier, remedy = self._attached.get(kind), "attach one of each kind"
        else:
            own = require_component(component)
            earlier = next((each.site for each in self._components if each.component is own), None)
            remedy = "attach it once, or another object of its class"
        if earlier is not None:
            found = "one is attached already" if kind in self._attached else "it is attached already"
            notes = [Note("the first one", earlier.place)]
            code: Code = "duplicate-component"
            raise WiringError(WiringProblem(caller_place(), subject, found, remedy, code=code, notes=notes))
        if isinstance(component, DaebusHttp):
            self._http = component
        elif isinstance(component, DaebusWebSocket):
            self._websocket = component
        else:
            self._components.append(AttachedComponent(component, call_site()))
            return
        self._attached[kind] = call_site()

    def register_blueprint(self, blueprint: Blueprint[C]) -> None:
        """Compile and add the handlers of a blueprint, which then takes no more handlers.

        Args:
            blueprint: The blueprint; the app's container must have the services of its `Blueprint.services`.

        Raises:
            WiringError: The blueprint has mistakes; the error lists all of them.
        """
        place = caller_place()
        self._refuse_late(f"register_blueprint({getattr(blueprint, 'name', blueprint)!r})")
        try:
            require_blueprint(blueprint, place)
            refuse_misfit(blueprint, self._container, self._blueprints, place=place, app=self._site.place)
            specs = self._take_over(blueprint, f"the blueprint was registered at {place}")
            self._blueprints[blueprint.name] = place
            self._plans.add(specs, interceptors_of(blueprint).within(self._interceptors))
        except WiringError as error:
            if not defer(error, of_app=True):
                raise
            self._deferred.extend(error.problems)

    def _refuse_late(self, subject: str) -> None:
        if self._closed is not None:
            found, remedy = f"it comes too late: {self._closed}", "do it before the app starts"
            raise WiringError(WiringProblem(caller_place(), subject, found, remedy, code="too-late"))

    def check(self, service: str | None = None, *, may_idle: bool = False) -> Assembly:
        """Compile everything, check that it fits together, and close the app to further handlers.

        Args:
            service: The name under which it is served; default: the app's own.
            may_idle: Whether it may have no handler, as in a test that only wants its bus.

        Raises:
            WiringError: With all the mistakes.
            ConfigurationError: The service has no name.
        """
        made, problems = self.examine(service, may_idle=may_idle)
        if problems:
            raise WiringError(*problems)
        self._close("the app was started")
        return made

    def examine(self, service: str | None = None, *, may_idle: bool = False) -> tuple[Assembly, list[WiringProblem]]:
        """The assembly that `check` would return, and all the mistakes that it would raise.

        Args:
            service: The name under which the app is served; default: the one that the app sets.
            may_idle: Whether an app without handlers is no mistake.

        Raises:
            ConfigurationError: The service has no name, and there are no other mistakes.
        """
        problems = list(self._deferred)
        try:
            self._plans.add(self._specs[self._planned :], self._interceptors)
            self._planned = len(self._specs)
        except WiringError as error:
            problems.extend(error.problems)
        compiled = self._plans.compiled()
        problems.extend(find_in_container(self._container, list(self._plans.needed())))
        specs = self._plans.served()
        name = ServiceName(service or self._service or self.name, bool(service or self._service), self._site.place)
        problems.extend(find_unattached(specs, Attached(self._http, self._websocket, self._attached)))
        problems.extend(find_foreign(specs, name))
        routes = [(spec, endpoint.signature) for spec, endpoint in compiled if isinstance(spec, RouteSpec)]
        problems.extend(find_undecodable(routes, self._http))
        problems.extend(find_misnamed(name, specs))
        if name.name in ("", "__main__") and all(problem.code != "service-not-named" for problem in problems):
            if not problems:
                raise ConfigurationError(f"The service has no name: {_NAME_IT}.")
            subject, found = f"Daebus({name.name!r})", "the service has no name"
            problems.append(WiringProblem(name.place, subject, found, _NAME_IT, code="service-not-named"))
        if not problems and not may_idle and not self._components:
            served = [spec for spec, _ in compiled]
            problems.extend(find_idle(served, self._container, self._http, name=name.name, place=name.place))
        return self._assembly(name.name), problems

    def _assembly(self, service: str) -> Assembly:
        return Assembly(
            service=service,
            plans=self._plans,
            container=self._container,
            workers=self._workers,
            settings=self._settings,
            http=self._http,
            websocket=self._websocket,
            interceptors=self._interceptors,
            components=(*opened_interceptors(self._interceptors, self._site), *self._components),
            warnings=tuple(find_misspelt_channels(self._plans.served())),
        )

    @property
    def asgi(self) -> Litestar:
        """The Litestar application, for any ASGI server; its lifespan starts and stops the service.

        Raises:
            WiringError: The app has mistakes; the error lists all of them.
            ConfigurationError: The service has no name.
        """
        if self._web is None:
            from .running.web import Web  # noqa: PLC0415  # it loads what an app is run with, not what it is defined with

            self._web = Web(self.check())
        return self._web.litestar

    def run(
        self,
        service: str | None = None,
        *,
        redis_url: str | None = None,
        host: str | None = None,
        port: int | None = None,
        health_port: int | None = None,
        loop: Loop | None = None,
    ) -> None:
        """Run the service until SIGTERM or SIGINT.

        Args:
            service: The name under which it is served.
            redis_url: The server; default: DAEBUS_REDIS_URL, else the embedded server of the project.
            host: The address to listen on; default: DAEBUS_HOST, else that of `DaebusHttp`, which is this machine only.
            port: TCP port; default: the one of `DaebusHttp`; 0: any free port.
            health_port: TCP port for the probes of its health; default: DAEBUS_HEALTH_PORT, else that of `DaebusHttp`.
            loop: The event loop; default: uvloop where it is installed (``daebus[uvloop]``), else asyncio's own.

        Raises:
            SystemExit: The service could not start; a message on stderr says why.
        """
        from .running.listening import Listening  # noqa: PLC0415  # as in `asgi`
        from .running.runner import run  # noqa: PLC0415

        run(lambda: self.check(service), redis_url=redis_url, listening=Listening(host, port, health_port), loop=loop)


def _checked(container: C) -> C:
    try:
        check_container(container, ServiceContainer)
    except WiringError as error:
        if any(problem.code == "wrong-container" for problem in error.problems) or not defer(error, of_app=True):
            raise
    return container
