"""`Blueprint`: a group of handlers that an app registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from typing_extensions import TypeVar

from daebus.declare.recorder import Recorder
from daebus.delivery.interceptors import AnyInterceptor, Interceptors
from daebus.wiring.interceptors import read_interceptors

from .container import ServiceContainer

__all__ = ["Blueprint", "interceptors_of"]

S_contra = TypeVar("S_contra", bound=ServiceContainer, contravariant=True, default=ServiceContainer)


class Blueprint(Recorder, Generic[S_contra]):
    """A group of handlers. Register it on one app or on several; from then on it takes no more handlers.

    Args:
        name: Its name, for messages and for the names of durable listeners.
        services: The container class whose providers its handlers name right of the ``*``; an app whose container is
            not one of that class refuses the blueprint.
        prefix: Put before the path of each of its routes; both begin with a slash.
        namespace: Put, with a dot, before the string names of its actions and socket types. A contract's name is final.
        interceptors: What stands around the messages of its handlers, the first outermost, and all inside of those of
            the app; see `daebus.interceptors`.

    Raises:
        WiringError: The name, the prefix or the namespace cannot be one, or an interceptor is none. The decorators
            raise it, too, for what can never work; what needs the container to be seen is told by
            `Daebus.register_blueprint`.
    """

    def __init__(
        self,
        name: str,
        *,
        services: type[S_contra] | None = None,
        prefix: str = "",
        namespace: str = "",
        interceptors: Sequence[AnyInterceptor] = (),
    ) -> None:
        super().__init__(name, prefix=prefix, namespace=namespace)
        self._interceptors = read_interceptors(f"Blueprint({name!r})", interceptors, takes="incoming")
        self.services: type[ServiceContainer] = services or ServiceContainer


def interceptors_of(blueprint: Blueprint[S_contra]) -> Interceptors:
    """What stands around the messages of a blueprint's handlers."""
    return blueprint._interceptors  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # users are to see the decorators, and little else
