"""The class of the HTTP routes of an app: a method for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import NoneType

from daebus.declare.signatures import MISSING
from daebus.errors import BadRequest, Forbidden, ServiceError, Unauthorized
from daebus.export.contracts import About
from daebus.export.routes import RouteContract
from daebus.http.parameters import Argument
from daebus.payloads.naming import unique

from .types import Types
from .words import camel, comment, literal, pascal, property_name

__all__ = ["error_names", "http_class", "paragraphs"]

_NAME = re.compile(r"<(\w+)>")

_FORMS = {"raw": "FormData | URLSearchParams | Blob | ReadableStream"}


def error_names(errors: Sequence[type[ServiceError]]) -> list[str]:
    """The names of classes of errors."""
    return list(dict.fromkeys(error.__name__ for error in errors))


def http_class(service: str, routes: Sequence[RouteContract], types: Types) -> str:
    """The module's part for the routes: how each is written in a request, their inputs, and the class.

    Args:
        service: The name of the service.
        routes: The routes.
        types: The types.
    """
    if not routes:
        return ""
    name = f"{pascal(service)}Http"
    called = unique((camel(route.name) for route in routes), ("constructor",))
    table = "".join(f"  {one}: {_route(route)},\n" for one, route in zip(called, routes, strict=True))
    inputs = [_Input(one, route, types) for one, route in zip(called, routes, strict=True)]
    methods = "\n".join(_method(one, route, types) for one, route in zip(inputs, routes, strict=True))
    declared = "".join(f"{one.declaration}\n" for one in inputs if one.declaration)
    about = comment([f"The HTTP routes of `{service}`."])
    return (
        f"const routes = {{\n{table}}} satisfies Record<string, Route>;\n\n{declared}"
        f"{about}export class {name} {{\n  readonly #http: Http;\n\n"
        f"  constructor(options: HttpOptions) {{\n    this.#http = new Http(options);\n  }}\n\n{methods}}}\n"
    )


def _route(route: RouteContract) -> str:
    """How a route is written in a request."""
    path = _NAME.sub(lambda found: f"{{{'+' if found[1] in route.files else ''}{found[1]}}}", route.path)
    parts = {"method": route.method, "path": path}
    fields = [f"{name}: {literal(value)}" for name, value in parts.items()]
    if route.input.query:
        fields.append(f"query: {literal(list(route.input.query))}")
    if route.input.body is not None:
        fields.append(f"body: {literal('data' if route.input.body == 'raw' else route.input.body)}")
    if route.input.single is not None:
        fields.append(f"single: {literal(route.input.single)}")
    if route.resumes:
        fields.append("resumes: true")
    if route.answer != "json":
        fields.append(f"answer: {literal(route.answer)}")
    return f"{{ {', '.join(fields)} }}"


class _Input:
    """The input of a method.

    Attributes:
        name: The name of the method.
        declaration: The declaration of its type, if it has one of its own.
        parameter: The parameter of the method; empty: it takes none.
        value: The expression that passes it on.
    """

    def __init__(self, name: str, route: RouteContract, types: Types) -> None:
        self.name = name
        self.declaration = ""
        self.parameter, self.value = "", "undefined"
        if route.input.payload is not MISSING:
            kind = types.of(route.input.payload, sent=True)
            self.parameter, self.value = f"input: {kind}", "input"
        elif route.input.arguments or route.input.body == "raw":
            kind = f"{pascal(name)}Arguments"
            while kind in {*types.models.named, *types.inputs.values()}:
                kind += "_"
            lines = [
                f"  {property_name(one.wire)}{'' if one.default is MISSING else '?'}: {_kind_of(one, route, types)};\n"
                for one in route.input.arguments
            ]
            if route.input.body == "raw":
                lines.append(f"  data: {_FORMS['raw']};\n")
            self.declaration = f"/** The input of `{name}`. */\nexport interface {kind} {{\n{''.join(lines)}}}\n"
            is_optional = all(one.default is not MISSING for one in route.input.arguments) and route.input.body != "raw"
            self.parameter, self.value = f"input: {kind}{' = {}' if is_optional else ''}", "input"


def _kind_of(argument: Argument, route: RouteContract, types: Types) -> str:
    return "string" if argument.wire in route.files else types.of(argument.kind, sent=True)


def _method(made: _Input, route: RouteContract, types: Types) -> str:
    given = {"text": "string", "response": "Response"}.get(route.answer) or types.of(route.gives, sent=False)
    if route.gives is NoneType and not route.streams:
        given = "null"
    kind = "StreamOptions" if route.streams else "CallOptions"
    parameters = ", ".join(one for one in (made.parameter, f"options?: {kind}") if one)
    returns = f"AsyncGenerator<{given}, void, void>" if route.streams else f"Promise<{given}>"
    call = "stream" if route.streams else "call"
    about = comment([*paragraphs(route.about), f"`{route.method} {route.path}`", _throws(route)], "  ")
    return (
        f"{about}  {made.name}({parameters}): {returns} {{\n"
        f"    return this.#http.{call}(routes.{made.name}, {made.value}, options) as {returns};\n  }}\n"
    )


def paragraphs(about: About) -> list[str]:
    """What is said of a handler."""
    requires = [f"Requires: {', '.join(about.requires)}."] if about.requires else []
    return [about.summary, *([about.description] if about.description else []), *requires]


def _throws(route: RouteContract) -> str:
    known: list[type[ServiceError]] = (
        [BadRequest] if route.input.payload is not MISSING or route.input.arguments else []
    )
    known += [Unauthorized] if route.about.refuses_strangers else []
    known += [Forbidden] if route.about.requires else []
    return "\n".join(f"@throws {{@link {name}}}" for name in error_names([*route.errors, *known]))
