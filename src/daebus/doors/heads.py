"""HEAD at the doors of actions: answered as GET is, without the body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from daebus.declare.paths import path_shape
from daebus.declare.specs import RouteSpec

__all__ = ["heads_of"]


def heads_of(routes: Sequence[RouteSpec]) -> Iterator[tuple[int, RouteSpec]]:
    """For each door that answers GET, the route that answers HEAD in its place, if no other does; undocumented.

    Args:
        routes: All routes.

    Yields:
        The index of the door, and the route.
    """
    taken = {path_shape(route.path) for route in routes if "HEAD" in route.methods}
    for index, route in enumerate(routes):
        is_door = route.opens is not None and not route.has_events
        if is_door and "GET" in route.methods and path_shape(route.path) not in taken:
            options = {**route.options, "include_in_schema": False}
            yield index, msgspec.structs.replace(route, methods=("HEAD",), options=options)
