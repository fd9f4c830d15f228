"""The arguments of ``Litestar(...)``, by name: a misspelt one is a type error. Loads no Litestar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

__all__ = ["LitestarOptions"]


class LitestarOptions(TypedDict, total=False):
    """Arguments of ``Litestar(...)`` that `DaebusHttp` passes on."""

    route_handlers: Sequence[object]
    """Other route handlers of Litestar."""

    after_exception: object
    """Called after each exception, beside the exception handlers."""

    after_request: object
    """Called with each response, before it is sent; what it returns is sent instead."""

    after_response: object
    """Called with each request, after its response was sent."""

    before_request: object
    """Called with each request; what it returns, other than None, is the response."""

    before_send: object
    """Called with each ASGI message before it is sent."""

    cache_control: object
    """A `CacheControlHeader` for each response."""

    compression_config: object
    """Compression of responses. Default: none."""

    cors_config: object
    """The pages of other origins that may read responses. Default: none."""

    csrf_config: object
    """Protection against forged requests by a token. Default: none."""

    dto: object
    """A DTO of Litestar for the data of requests."""

    debug: bool
    """Whether Litestar adds details to its errors."""

    dependencies: Mapping[str, object]
    """Dependencies of Litestar by name. Services of the container need none."""

    etag: object
    """An `ETag` for each response."""

    event_emitter_backend: object
    """The class that delivers Litestar's own events inside the process."""

    exception_handlers: object
    """Functions that make the response, by exception class or status code."""

    guards: Sequence[object]
    """Functions that raise an error to refuse a request."""

    include_in_schema: bool
    """Whether routes are in the OpenAPI document. Default: True."""

    listeners: Sequence[object]
    """Listeners for Litestar's own events inside the process."""

    logging_config: object
    """Logging of Litestar. Default: none, as daebus logs."""

    middleware: Sequence[object]
    """Middleware of Litestar around all routes."""

    multipart_form_part_limit: int
    """How many parts a form may have. Default: 1000."""

    on_app_init: object
    """Called with the configuration before the Litestar app is made."""

    on_shutdown: Sequence[object]
    """Called when the app stops."""

    on_startup: Sequence[object]
    """Called when the app starts."""

    openapi_config: object
    """The OpenAPI document. Default: made by daebus, see ``schema``."""

    opt: Mapping[str, object]
    """Values of your own, for guards and middleware."""

    parameters: object
    """Parameters that all routes have."""

    path: str
    """A path before all routes. Default: none."""

    plugins: Sequence[object]
    """Plugins of Litestar."""

    request_class: object
    """A subclass of Litestar's `Request`."""

    request_max_body_size: int | None
    """Bytes that the body of a request may have. Default: that of `HttpLimits`."""

    response_cache_config: object
    """Where responses are cached, and for how many seconds by default."""

    response_class: object
    """A subclass of Litestar's `Response`."""

    response_cookies: object
    """Cookies of each response."""

    response_headers: object
    """Headers of each response."""

    return_dto: object
    """A DTO of Litestar for the data of responses."""

    security: Sequence[Mapping[str, Sequence[str]]]
    """OpenAPI: the security requirements of all operations."""

    signature_namespace: Mapping[str, object]
    """Names that annotations may mean, for Litestar."""

    signature_types: Sequence[object]
    """Types that annotations may mean, for Litestar."""

    state: object
    """A `State` of Litestar that handlers can take."""

    static_files_config: object
    """Folders of files that are served."""

    stores: object
    """Stores of Litestar by name."""

    tags: Sequence[str]
    """OpenAPI: the tags of all operations."""

    template_config: object
    """The engine that renders templates."""

    type_decoders: object
    """Decoders for types that msgspec does not know, for Litestar."""

    type_encoders: object
    """Encoders for types that msgspec does not know, by type."""

    websocket_class: object
    """A subclass of Litestar's `WebSocket`."""

    lifespan: Sequence[object]
    """Context managers that are entered when the app starts, and left when it stops."""

    pdb_on_exception: bool
    """Whether a debugger is started on an exception. Default: False."""

    debugger_module: object
    """The debugger for ``pdb_on_exception``. Default: ``pdb``."""

    experimental_features: object
    """Experimental features of Litestar that are turned on."""
