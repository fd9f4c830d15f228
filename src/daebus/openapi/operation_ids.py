"""The ids of operations: they stay the same when other routes are added after them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from daebus.declare.paths import path_shape

from .routes import DocumentedRoute

__all__ = ["operation_ids"]


def operation_ids(routes: Iterable[DocumentedRoute], prefix: str) -> Callable[..., str]:
    """What Litestar calls for the id of an operation: the blueprint, the handler, and the method if it has several.

    Handlers of the same name in one blueprint differ by their paths: the first one has the plain id.

    Args:
        routes: The routes, in order of registration.
        prefix: The path of the whole Litestar app.
    """
    ids: dict[tuple[str, str], str] = {}
    for route in routes:
        for number, method in enumerate(route.spec.methods):
            key = (method, path_shape(f"{prefix}/{route.spec.path}"))
            ids[key] = next(name for name in _names(route, number) if name not in ids.values())

    def operation_id(handler: HTTPRouteHandler, method: Any, components: Sequence[object]) -> str:
        shape = "/" + "/".join(part if isinstance(part, str) else "<>" for part in components)
        known = ids.get((HttpMethod(method).value, shape))
        made: list[Any] = list(components)  # Litestar's type of it is private
        return known or OpenAPIConfig.operation_id_creator(handler, method, made)

    return operation_id


def _names(route: DocumentedRoute, number: int) -> Iterator[str]:
    spec, name = route.spec, route.endpoint.signature.name
    parts = [spec.blueprint, name, *([spec.methods[number].lower()] if number else [])]
    yield _joined(*parts)
    yield _joined(*parts, spec.path)
    yield _joined(*parts, spec.path, spec.methods[number].lower())


def _joined(*parts: str) -> str:
    return "_".join(name for part in parts if (name := re.sub(r"\W+", "_", part).strip("_")))
