"""The documentation of the routes at ``/schema``: the OpenAPI document, and a page of it that needs no script."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
from litestar import Request, Router
from litestar.connection import ASGIConnection
from litestar.enums import MediaType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, Reference, SecurityScheme
from typing_extensions import override

__all__ = ["PATH", "USER", "Documentation"]

USER = "user"
"""The security scheme of routes that ask for the user of a request."""

PATH = "/schema"
"""The path of the page; the documents are below it."""

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
code, pre { font: 14px/1.45 ui-monospace, monospace } pre { background: #f4f4f4; padding: .7rem; overflow: auto }
details { border: 1px solid #ddd; border-radius: 4px; margin: .5rem 0; padding: .3rem .8rem }
summary { cursor: pointer } .method { font-weight: 700; display: inline-block; min-width: 4.5rem }
table { border-collapse: collapse } td, th { text-align: left; padding: .1rem 1.5rem .1rem 0; vertical-align: top }
"""


class Documentation:
    """The documentation that an app serves at ``/schema`` after it is opened.

    Args:
        title: The name of the service.
        operation_ids: Makes the ids of the operations, as Litestar asks for them.
        has_users: Whether any route asks for the user of a request.

    Attributes:
        config: The OpenAPI configuration for Litestar.
        is_open: Whether it is served; otherwise ``/schema`` does not exist for clients.
    """

    def __init__(self, title: str, operation_ids: Any, *, has_users: bool) -> None:  # Litestar's type of it is private
        def require_open(_: ASGIConnection[Any, Any, Any, Any], __: BaseRouteHandler) -> None:
            if not self.is_open:
                raise NotFoundException

        # A function, not a method: Litestar deep-copies the guards of a router, including a method's object.
        self.is_open: bool = False
        schemes: dict[str, SecurityScheme | Reference] | None = None
        if has_users:
            schemes = {USER: SecurityScheme(type="http", scheme="bearer")}
        self.config: OpenAPIConfig = OpenAPIConfig(
            title,
            "1.0.0",
            operation_id_creator=operation_ids,
            components=Components(security_schemes=schemes),
            render_plugins=[_Page(), YamlRenderPlugin()],
            openapi_router=Router(PATH, route_handlers=[], include_in_schema=False, guards=[require_open]),
        )


class _Schema(msgspec.Struct, rename={"ref": "$ref", "any_of": "anyOf", "one_of": "oneOf"}):
    ref: str = ""
    type: str | list[str] = "any"
    items: _Schema | None = None
    one_of: list[_Schema] = []
    any_of: list[_Schema] = []


class _Parameter(msgspec.Struct, rename={"place": "in"}):
    name: str
    place: str
    schema: _Schema | None = None


class _Content(msgspec.Struct):
    schema: _Schema | None = None


class _Body(msgspec.Struct):
    content: dict[str, _Content] = {}
    description: str = ""


class _Operation(msgspec.Struct, rename="camel"):
    summary: str = ""
    description: str = ""
    parameters: list[_Parameter] = []
    request_body: _Body | None = None
    responses: dict[str, _Body] = {}


class _Info(msgspec.Struct):
    title: str


class _Components(msgspec.Struct):
    schemas: dict[str, object] = {}


class _Document(msgspec.Struct):
    info: _Info
    paths: dict[str, dict[str, object]] = {}
    components: _Components = msgspec.field(default_factory=_Components)


class _Page(OpenAPIRenderPlugin):
    """All operations on one page, without scripts, pictures and fonts from anywhere."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        document = msgspec.convert(openapi_schema, _Document)
        title = escape(document.info.title)
        head = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        )
        links = f'<p><a href="{PATH}/openapi.json">openapi.json</a> · <a href="{PATH}/openapi.yaml">openapi.yaml</a>'
        operations = "".join(
            _show(path, method, msgspec.convert(operation, _Operation))
            for path, item in document.paths.items()
            for method, operation in item.items()
            if method in _METHODS
        )
        schemas = "".join(_show_schema(name, schema) for name, schema in document.components.schemas.items())
        body = f"<body><h1>{title}</h1>{links}<h2>Routes</h2>{operations}<h2>Schemas</h2>{schemas}</body></html>"
        return (head + body).encode()


def _show(path: str, method: str, operation: _Operation) -> str:
    title = f'<span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code>'
    parts = [f"<details><summary>{title} {escape(operation.summary)}</summary>"]
    if operation.description:
        parts.append(f"<p>{escape(operation.description)}</p>")
    rows = [
        f"<tr><td><code>{escape(each.name)}</code><td>{escape(each.place)}<td>{_kind(each.schema)}"
        for each in operation.parameters
    ]
    if rows:
        parts.append(f"<table><tr><th>Parameter<th>In<th>Type{''.join(rows)}</table>")
    if operation.request_body is not None:
        for media, content in operation.request_body.content.items():
            parts.append(f"<p>Body: <code>{escape(media)}</code> {_kind(content.schema)}</p>")
    for status, response in operation.responses.items():
        kinds = " ".join(_kind(content.schema) for content in response.content.values())
        parts.append(f"<p>{escape(status)}: {escape(response.description)} {kinds}</p>")
    return "".join(parts) + "</details>"


def _show_schema(name: str, schema: object) -> str:
    text = escape(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode())
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'


def _kind(schema: _Schema | None) -> str:
    """The type of a value, as a link where it is one of the named schemas."""
    if schema is None:
        return ""
    if schema.ref:
        name = escape(schema.ref.rpartition("/")[2])
        return f'<a href="#{name}"><code>{name}</code></a>'
    if schema.items is not None:
        return f"list of {_kind(schema.items)}"
    choices = [*schema.one_of, *schema.any_of]
    if choices:
        return " or ".join(map(_kind, choices))
    kinds = [schema.type] if isinstance(schema.type, str) else schema.type
    return f"<code>{escape(' or '.join(kinds))}</code>"
