"""`Blueprint`: a group of handlers that an app registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

from daebus.declare.deferring import collect
from daebus.declare.options import Requires
from daebus.declare.recorder import Recorder
from daebus.delivery.interceptors import NONE, AnyInterceptor, Interceptors
from daebus.errors import WiringError
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.wiring.interceptors import read_interceptors

from .container import ServiceContainer

__all__ = ["Blueprint", "interceptors_of", "refuse_misfit", "require_blueprint"]

S_contra = TypeVar("S_contra", bound=ServiceContainer, contravariant=True, default=ServiceContainer)


class Blueprint(Recorder, Generic[S_contra]):
    """A group of handlers. It can be registered on one or several apps; afterwards it takes no more handlers.

    Args:
        name: Its name, for messages and for the names of durable listeners.
        services: The container class whose providers its handlers use right of the ``*``. An app refuses the blueprint
            if its container is not an instance of this class.
        prefix: Prefix of the path of each of its routes; both begin with a slash.
        namespace: Prefix, followed by a dot, of the string names of its actions and socket types. The names of
            contracts are never prefixed.
        interceptors: The interceptors of its handlers' messages; the first is the outermost. All run inside the
            interceptors of the app; see `daebus.interceptors`.
        requires: Functions of the user that must all return True, for each message that its actions, routes, listeners
            and WebSocket handlers get; see `Blueprint.action`.

    Raises:
        WiringError: The name, the prefix, the namespace or an interceptor is not valid. The decorators also raise it
            for handlers that can never work. `Daebus.register_blueprint` raises it for mistakes that show only with the
            container.
    """

    def __init__(
        self,
        name: str,
        *,
        services: type[S_contra] | None = None,
        prefix: str = "",
        namespace: str = "",
        interceptors: Sequence[AnyInterceptor] = (),
        requires: Requires = (),
    ) -> None:
        super().__init__(name, prefix=prefix, namespace=namespace, requires=requires)
        subject = f"Blueprint({name!r})"
        self._interceptors = collect(lambda: read_interceptors(subject, interceptors, takes="incoming"), NONE)
        self.services: type[ServiceContainer] = services or ServiceContainer
        """The container class whose providers its handlers use right of the ``*``."""


def interceptors_of(blueprint: Blueprint[S_contra]) -> Interceptors:
    """The interceptors of a blueprint."""
    return blueprint._interceptors  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # users are to see the decorators, and little else


def require_blueprint(given: object, place: str) -> None:
    """Refuse what is no blueprint, at the place where it is registered. Raises `WiringError`."""
    if not isinstance(given, Blueprint):
        subject = f"register_blueprint({getattr(given, '__name__', repr(given))})"
        found, remedy = "it is not a blueprint", 'register an object: users = Blueprint("users")'
        raise WiringError(WiringProblem(place, subject, found, remedy, code="wrong-component"))


def refuse_misfit(
    blueprint: Blueprint[Any], container: ServiceContainer, registered: Mapping[str, str], *, place: str, app: str
) -> None:
    """Refuse a blueprint that is registered twice, or needs another container.

    Args:
        blueprint: The blueprint.
        container: The container of the app.
        registered: Where each blueprint of the app was registered, by blueprint name.
        place: Where this blueprint is being registered.
        app: Where the app was created.

    Raises:
        WiringError: The blueprint is already registered or needs another container.
    """
    subject = f"register_blueprint({blueprint.name!r})"
    if blueprint.name in registered:
        earlier = registered[blueprint.name]
        found = f"a blueprint of this name was registered at {earlier}"
        remedy, notes = "register it once, or rename one of the two", [Note("the first one", earlier)]
        raise WiringError(WiringProblem(place, subject, found, remedy, code="duplicate-blueprint", notes=notes))
    owner, wanted = container.declarative_parent, blueprint.services
    if not isinstance(wanted, type):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        found = "services= must be a container class, but this is an object"
        remedy = f"name the class: Blueprint({blueprint.name!r}, services=Container), without parentheses"
        raise WiringError(WiringProblem(place, subject, found, remedy, code="wrong-container"))
    if owner is not None and not issubclass(owner, wanted):
        found = f"its handlers need {wanted.__name__}, and the app's container is {owner.__name__}"
        remedy = f"pass container={wanted.__name__}() to Daebus, or a subclass of it"
        notes = [Note("the app", app)]
        raise WiringError(WiringProblem(place, subject, found, remedy, code="wrong-container", notes=notes))
