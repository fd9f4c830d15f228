"""The documentation of a service at ``/schema`` and ``/asyncapi``: the documents, and a page of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar import Request, Router, get
from litestar.connection import ASGIConnection
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from typing_extensions import override

from daebus.pages.asyncapi import read_asyncapi
from daebus.pages.files import asset
from daebus.pages.html import POLICY, Link, render
from daebus.pages.openapi import read_openapi
from daebus.payloads.schemas import UNKNOWN_VERSION, Json

__all__ = ["MESSAGES_PATH", "NO_DOCUMENTS", "PATH", "Documentation", "Documents"]

PATH = "/schema"
"""The path of the page of the routes; the documents are below it."""

MESSAGES_PATH = "/asyncapi"
"""The path of the page of all other messages; the document is below it."""

_HEADERS = {"Content-Security-Policy": POLICY}
_FORMATS = (JsonRenderPlugin(), YamlRenderPlugin())


class Documents(msgspec.Struct, frozen=True):
    """What the documentation of a service says besides its routes.

    Attributes:
        version: The version of the service; None: it is unknown.
        asyncapi: Makes the AsyncAPI document; it is called when it is first asked for. None: there is none.
    """

    version: str | None = None
    asyncapi: Callable[[], Json] | None = None


NO_DOCUMENTS = Documents()


class Documentation:
    """The documentation that an app serves at ``/schema`` and ``/asyncapi`` after it is opened.

    Args:
        title: The name of the service.
        operation_ids: Makes the ids of the operations, as Litestar asks for them.
        documents: What it says besides the routes.

    Attributes:
        config: The OpenAPI configuration for Litestar.
        routers: The routers besides that of Litestar's configuration.
        is_open: Whether it is served; otherwise the paths do not exist for clients.
    """

    def __init__(
        self,
        title: str,
        operation_ids: Any,  # Litestar's type of it is private
        documents: Documents,
    ) -> None:
        def require_open(_: ASGIConnection[Any, Any, Any, Any], __: BaseRouteHandler) -> None:
            if not self.is_open:
                raise NotFoundException

        asyncapi = documents.asyncapi
        # A function, not a method: Litestar deep-copies the guards of a router, including a method's object.
        self.is_open: bool = False

        def router(path: str, handlers: Sequence[HTTPRouteHandler]) -> Router:
            given = [*handlers, _asset("page.css", "text/css"), _asset("page.js", "text/javascript")]
            return Router(
                path, route_handlers=given, include_in_schema=False, guards=[require_open], response_headers=_HEADERS
            )

        self.config: OpenAPIConfig = OpenAPIConfig(
            title,
            documents.version or UNKNOWN_VERSION,
            operation_id_creator=operation_ids,
            render_plugins=[_Kept(_Page(has_messages=asyncapi is not None)), *map(_Kept, _FORMATS)],
            openapi_router=router(PATH, []),
        )
        self.routers: list[Router] = []
        if asyncapi is not None:
            self.routers.append(router(MESSAGES_PATH, _messages(cache(asyncapi))))


class _Kept(OpenAPIRenderPlugin):
    """What another plugin renders, which is kept: the routes of an app that runs do not change.

    Args:
        plugin: The other plugin.
    """

    def __init__(self, plugin: OpenAPIRenderPlugin) -> None:
        super().__init__(path=plugin.paths, media_type=plugin.media_type)
        self._plugin: Any = plugin  # whose own types are partly unknown
        self._rendered: dict[tuple[str, str], bytes] = {}

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        where = _around(request, PATH)
        if where not in self._rendered:
            self._rendered[where] = self._plugin.render(request, openapi_schema)
        return self._rendered[where]


class _Page(OpenAPIRenderPlugin):
    """The page of the routes.

    Args:
        has_messages: Whether there is a page of the messages.
    """

    def __init__(self, *, has_messages: bool) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)
        self._has_messages = has_messages

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        above, below = _around(request, PATH)
        others = [Link("Messages", f"{above}{MESSAGES_PATH[1:]}")] if self._has_messages else []
        return render(
            read_openapi(openapi_schema),
            pages=[Link("HTTP", "", is_here=True), *others],
            files=[Link(name, f"{below}{name}") for name in ("openapi.json", "openapi.yaml")],
            assets=below,
        ).encode()


def _messages(asyncapi: Callable[[], Json]) -> list[HTTPRouteHandler]:
    """The handlers of the page of the messages and of its document."""

    @cache
    def page(above: str, below: str) -> bytes:
        return render(
            read_asyncapi(asyncapi()),
            pages=[Link("HTTP", f"{above}{PATH[1:]}"), Link("Messages", "", is_here=True)],
            files=[Link("asyncapi.json", f"{below}asyncapi.json")],
            assets=below,
        ).encode()

    @get("/", media_type=MediaType.HTML, sync_to_thread=False)
    def show_messages(request: Request[Any, Any, Any]) -> bytes:
        return page(*_around(request, MESSAGES_PATH))

    @get("/asyncapi.json", media_type=MediaType.JSON, sync_to_thread=False)
    def send_document() -> bytes:
        return document()

    @cache
    def document() -> bytes:
        return msgspec.json.encode(asyncapi())

    return [show_messages, send_document]


def _asset(name: str, media_type: str) -> HTTPRouteHandler:
    @get(f"/{name}", media_type=media_type, sync_to_thread=False)
    def send_asset() -> bytes:
        return asset(name)

    return send_asset


def _around(request: Request[Any, Any, Any], path: str) -> tuple[str, str]:
    """The relative URLs of what is beside a page and of what is below it: a proxy may have removed what is before."""
    scope: Mapping[str, Any] = {**request.scope}
    asked = scope.get("raw_path", b"")  # from the other one, Litestar removes the slash at the end
    return ("../", "") if asked.endswith(b"/") else ("", f"{path[1:]}/")
