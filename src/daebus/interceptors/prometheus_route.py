"""The route of the metrics, for the app's HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler

__all__ = ["metrics_route"]


def metrics_route(path: str, expose: Callable[[str], tuple[bytes, str]]) -> HTTPRouteHandler:
    """A route that answers with the metrics.

    Args:
        path: Its path.
        expose: Makes the text and its content type for a header ``Accept``.
    """

    @get(path, include_in_schema=False)
    async def metrics(request: Request[object, object, State]) -> Response[bytes]:
        body, content_type = await asyncio.to_thread(expose, request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})  # as a media type it would get a charset

    return metrics
