"""`Daebus`: the app, where handlers, container and components come together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, cast

from typing_extensions import TypeVar

from daebus.core.errors import ConfigurationError, WiringError, WiringProblem
from daebus.core.places import caller_place
from daebus.core.recorder import Recorder
from daebus.core.specs import Spec
from daebus.transports.edge import DaebusHttp, DaebusWebSocket
from daebus.wiring.checks import check_container
from daebus.wiring.workers import WorkerPool

from .blueprint import Blueprint
from .container import ServiceContainer
from .plans import Conflict, Plans
from .runner import run
from .runtime import Assembly
from .web import Web

if TYPE_CHECKING:
    from litestar import Litestar

__all__ = ["Daebus"]

C = TypeVar("C", bound=ServiceContainer, default=ServiceContainer)


class Daebus(Recorder, Generic[C]):
    """A service: blueprints and handlers of its own, a container, and what is attached to it.

    Args:
        name: Its name; the service is called so where neither `service` nor ``run(service=...)`` says otherwise.
        container: Where the services right of the ``*`` come from; default: a bare `ServiceContainer`.
        service: The name under which other services reach it.
        max_concurrency: How many messages each handler handles at once in one process.
        max_workers: How many ``def`` handlers run at once in one process.
        on_conflict: Where two blueprints claim the same action, route, socket type or task: ``warn`` lets the one
            registered last win, ``error`` refuses it.
        stop_timeout: Seconds that the work in hand may take when the service stops.
        lease: Seconds after its last heartbeat at which an instance counts as dead and others take over its work;
            longer than any call that holds the interpreter's lock.

    Raises:
        WiringError: The container is wrong in itself.
    """

    def __init__(
        self,
        name: str,
        *,
        container: C | None = None,
        service: str | None = None,
        max_concurrency: int = 128,
        max_workers: int = 32,
        on_conflict: Conflict = "warn",
        stop_timeout: float = 30.0,
        lease: float = 15.0,
    ) -> None:
        super().__init__(name)
        self._container = container if container is not None else cast("C", ServiceContainer())
        check_container(self._container, ServiceContainer)
        self._service = service
        self._max_concurrency = max_concurrency
        self._stop_timeout = stop_timeout
        self._lease = lease
        self._workers = WorkerPool(max_workers)
        self._plans = Plans(self._container, self._workers, on_conflict)
        self._blueprints: dict[str, str] = {}
        self._http: DaebusHttp | None = None
        self._websocket: DaebusWebSocket | None = None
        self._planned = 0
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

    def attach(self, component: DaebusHttp | DaebusWebSocket) -> None:
        """Attach HTTP or WebSocket, before the app starts. Raises `WiringError` for a second one of a kind."""
        self._refuse_late(f"attach({type(component).__name__}())")
        if (self._http if isinstance(component, DaebusHttp) else self._websocket) is not None:
            raise WiringError(
                WiringProblem(
                    caller_place(),
                    f"attach({type(component).__name__}())",
                    "one is attached already",
                    "attach one of each kind",
                )
            )
        if isinstance(component, DaebusHttp):
            self._http = component
        else:
            self._websocket = component

    def register_blueprint(self, blueprint: Blueprint[C]) -> None:
        """Compile and add the handlers of a blueprint, which is closed from now on.

        Raises:
            WiringError: With all the mistakes of the blueprint.
        """
        place = caller_place()
        self._refuse_late(f"register_blueprint({blueprint.name!r})")
        problem = self._misfit(blueprint, place)
        if problem is not None:
            raise WiringError(problem)
        blueprint.close(f"the blueprint was registered at {place}")
        self._blueprints[blueprint.name] = place
        self._plans.add(blueprint.specs)

    def _misfit(self, blueprint: Blueprint[C], place: str) -> WiringProblem | None:
        subject = f"register_blueprint({blueprint.name!r})"
        if blueprint.name in self._blueprints:
            found = f"a blueprint of this name was registered at {self._blueprints[blueprint.name]}"
            return WiringProblem(place, subject, found, "register it once, or rename one of the two")
        owner = self._container.declarative_parent
        if owner is None or issubclass(owner, blueprint.services):
            return None
        return WiringProblem(
            place,
            subject,
            f"its handlers need {blueprint.services.__name__}, and the app's container is {owner.__name__}",
            f"pass container={blueprint.services.__name__}() to Daebus, or a subclass of it",
        )

    def _refuse_late(self, subject: str) -> None:
        if self._closed is not None:
            raise WiringError(
                WiringProblem(
                    caller_place(), subject, f"it comes too late: {self._closed}", "do it before the app starts"
                )
            )

    def check(self, service: str | None = None) -> Assembly:
        """Compile everything, check that it fits together, and close the app to further handlers.

        Raises:
            WiringError: With all the mistakes.
            ConfigurationError: The service has no name.
        """
        name = self._named(service)
        self._plans.add(self.specs[self._planned :])
        self._planned = len(self.specs)
        problems = [*self._unattached(), *self._foreign(name)]
        if problems:
            raise WiringError(*problems)
        self.close("the app was started")
        return Assembly(
            service=name,
            plans=self._plans,
            container=self._container,
            workers=self._workers,
            max_concurrency=self._max_concurrency,
            stop_timeout=self._stop_timeout,
            lease=self._lease,
            http=self._http,
            websocket=self._websocket,
        )

    def _named(self, service: str | None) -> str:
        name = service or self._service or self.name
        if name in ("", "__main__"):
            raise ConfigurationError(
                'The service has no name: call app.run(service="..."), use daebus run --service, '
                'or write Daebus(..., service="...").'
            )
        return name

    def _unattached(self) -> list[WiringProblem]:
        plans = self._plans
        sockets = [*(plan.spec for plan in plans.sockets.values()), *(plan.spec for plan in plans.disconnects)]
        routes = [plan.spec for plan in plans.routes.values()]
        problems: list[WiringProblem] = []
        if routes and self._http is None:
            problems.append(_not_attached(routes[0], "HTTP", "app.attach(DaebusHttp(port=8080))"))
        if sockets and self._websocket is None:
            problems.append(_not_attached(sockets[0], "WebSocket", "app.attach(DaebusWebSocket())"))
        if self._websocket is not None and self._websocket.port is None and self._http is None:
            found = "DaebusWebSocket() shares the port of DaebusHttp, and none is attached"
            remedy = "call app.attach(DaebusHttp(port=8080)), or give DaebusWebSocket a port"
            problems.append(WiringProblem(f"app {self.name!r}", "DaebusWebSocket()", found, remedy))
        return problems

    def _foreign(self, service: str) -> list[WiringProblem]:
        return [
            WiringProblem(
                plan.spec.where,
                plan.spec.title,
                f"its contract belongs to the service {contract.service!r}, and this is {service!r}",
                "serve it there, or correct the contract's service",
            )
            for plan in self._plans.actions.values()
            if (contract := plan.spec.contract) is not None and contract.service not in (None, service)
        ]

    @property
    def asgi(self) -> Litestar:
        """The Litestar application, for any ASGI server; its lifespan starts and stops the service.

        Raises:
            WiringError: With all the mistakes of the app.
            ConfigurationError: The service has no name.
        """
        if self._web is None:
            self._web = Web(self.check())
        return self._web.litestar

    def run(
        self,
        service: str | None = None,
        *,
        redis_url: str | None = None,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        """Run the service until SIGTERM or SIGINT.

        Args:
            service: The name under which it is served.
            redis_url: The server; default: DAEBUS_REDIS_URL, else the embedded one of the project.
            host: Where to listen; default: what `DaebusHttp` says.
            port: Likewise.

        Raises:
            SystemExit: It could not start; one message on stderr says why.
        """
        run(lambda: self.check(service), redis_url=redis_url, host=host, port=port)


def _not_attached(spec: Spec, what: str, remedy: str) -> WiringProblem:
    return WiringProblem(
        spec.where, spec.title, f"the app has no {what} to serve it", f"call {remedy} before the start"
    )
