"""The routes as their documentation knows them."""

from __future__ import annotations

from typing import Protocol

from daebus.declare.paths import path_parameters
from daebus.declare.specs import RouteSpec
from daebus.delivery.endpoint import Endpoint

__all__ = ["DocumentedRoute", "document_path"]


class DocumentedRoute(Protocol):
    """A route with its handler."""

    @property
    def spec(self) -> RouteSpec:
        """What was recorded."""
        ...

    @property
    def endpoint(self) -> Endpoint[object]:
        """The handler; of a door, with the parameters of the route."""
        ...


def document_path(spec: RouteSpec, prefix: str) -> str:
    """The path of a route as OpenAPI writes it.

    Args:
        spec: The route.
        prefix: The path of the whole Litestar app.
    """
    path = spec.path
    for name in path_parameters(path):
        path = path.replace(f"<{name}>", f"{{{name}}}")
    return f"{prefix.rstrip('/')}{path}".rstrip("/") or "/"
