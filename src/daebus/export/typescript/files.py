"""The files of the TypeScript client of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from types import NoneType

from daebus.declare.signatures import MISSING
from daebus.errors import ServiceError
from daebus.export.contracts import AppContracts, types_of
from daebus.export.models import Models
from daebus.export.routes import RouteContract

from .declarations import declarations
from .http import http_class
from .sockets import socket_class
from .types import RESERVED, VALUES, Types
from .words import comment, literal

__all__ = ["typescript"]

_RUNTIME = "daebus"
_HEAD = "// Written by `daebus export typescript`: changes are lost with the next export.\n\n"
_ERRORS = (
    *(
        "BadReply",
        "BadRequest",
        "Conflict",
        "Forbidden",
        "Gone",
        "Internal",
        "NoSuchAction",
        "NoSuchService",
        "NotFound",
    ),
    *("Reject", "ServiceError", "Timeout", "TooLarge", "TooManyRequests", "Unauthorized", "Unavailable"),
)
_CLASSES = ("Http", "ServiceError", "Socket", "register")
_HTTP = ("Http", "CallOptions", "HttpOptions", "StreamOptions")
_SOCKET = ("Socket", "SocketOptions")
_EXPORTS = "".join(
    f'export {names} from "./{module}.ts";\n'
    for names, module in (
        ("*", "contracts"),
        ("*", f"{_RUNTIME}/errors"),
        ("*", f"{_RUNTIME}/values"),
        ("type { CallOptions, HttpOptions, StreamOptions }", f"{_RUNTIME}/http"),
        ("type { Member, Position, PresenceChange, Recovered, Room }", f"{_RUNTIME}/rooms"),
        ("type { Origin, SocketOptions, State }", f"{_RUNTIME}/socket"),
        ("type { Backoff, Waiting }", f"{_RUNTIME}/waiting"),
    )
)
_WORD = re.compile(r"\w+")
_NO_USE = re.compile(r'^ */\*\*.*?\*/$|"(?:[^"\\\n]|\\.)*"|\.\w+|\w+\??: ', re.MULTILINE | re.DOTALL)
"""Comments, strings, and names of properties and parameters."""


def typescript(contracts: AppContracts, routes: Sequence[RouteContract]) -> Mapping[str, str]:
    """The texts of the files, by their paths in the folder of the client.

    Args:
        contracts: The contracts of the app.
        routes: Its HTTP routes.
    """
    types = Types(Models([*_kinds(contracts, routes), NoneType], {*RESERVED, *_ERRORS}))
    errors = [error for route in routes for error in route.errors if error.__name__ not in _ERRORS]
    return {
        "contracts.ts": _contracts(types, list(dict.fromkeys(errors))),
        "client.ts": _client(contracts, routes, types),
        **{f"{_RUNTIME}/{name}": text for name, text in _runtime()},
    }


def _kinds(contracts: AppContracts, routes: Sequence[RouteContract]) -> Iterator[object]:
    yield from types_of(contracts)
    for route in routes:
        if route.input.payload is not MISSING:
            yield route.input.payload
        yield from (one.kind for one in route.input.arguments if one.wire not in route.files)
        if route.answer == "json":
            yield route.gives


def _runtime() -> Iterator[tuple[str, str]]:
    for file in sorted(files("daebus.export.typescript").joinpath("runtime").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".ts"):
            yield file.name, file.read_text(encoding="utf-8")


def _contracts(types: Types, errors: Sequence[type[ServiceError]]) -> str:
    parts = [*declarations(types), *(_error(error) for error in errors)]
    body = "\n".join(parts) or "export {};\n"
    used = _used(body)
    imports = _imported("type ", [name for name in VALUES if name in used], "values")
    if errors:
        imports += _imported("", ["ServiceError", "register"], "errors")
    return f"{_HEAD}{imports}\n{body}"


def _error(error: type[ServiceError]) -> str:
    """An error of the service: objects of its class are made for its code."""
    name, code = error.__name__, literal(error.code)
    about = comment([(error.__doc__ or "").strip().partition("\n")[0]])
    return f"{about}export class {name} extends ServiceError<{code}> {{}}\nregister({code}, {name});\n"


def _imported(kind: str, names: Sequence[str], module: str) -> str:
    if not names:
        return ""
    own = names if kind else [name if name in _CLASSES else f"type {name}" for name in names]
    return f'import {kind}{{ {", ".join(own)} }} from "./{_RUNTIME}/{module}.ts";\n'


def _used(body: str) -> set[str]:
    """The names that the code of a module uses: the compiler may refuse imports of others."""
    return set(_WORD.findall(_NO_USE.sub(" ", body)))


def _client(contracts: AppContracts, routes: Sequence[RouteContract], types: Types) -> str:
    parts = [http_class(contracts.service, routes, types), socket_class(contracts, types)]
    body = "\n".join(part for part in parts if part)
    used = _used(body)
    named = [name for name in (*types.models.named, *types.inputs.values()) if name in used]
    modules = [
        ("", [name for name in _HTTP if name in used], "http"),
        ("type ", [name for name in ("Room",) if name in used], "rooms"),
        ("type ", [name for name in ("Route",) if name in used], "routes"),
        ("", [name for name in _SOCKET if name in used], "socket"),
        ("type ", [name for name in VALUES if name in used], "values"),
        ("type ", [name for name in ("Waiting",) if name in used], "waiting"),
    ]
    imports = "".join(_imported(kind, names, module) for kind, names, module in modules)
    contracts_import = _listed("import type", named, "./contracts.ts") if named else ""
    return f"{_HEAD}{contracts_import}{imports}\n{_EXPORTS}\n{body}"


def _listed(statement: str, names: Sequence[str], module: str) -> str:
    return f'{statement} {{\n{"".join(f"  {name},{chr(10)}" for name in names)}}} from "{module}";\n'
