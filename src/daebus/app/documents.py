"""The contracts of an app for others, in each format: documents, clients, and files to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from daebus.errors import BadRequest, ConfigurationError
from daebus.payloads.schemas import Json
from daebus.protocol.discovery import WHOLE

from .assembly import Assembly

if TYPE_CHECKING:
    from litestar import Litestar

__all__ = ["FOLDERS", "FORMATS", "OpenApi", "exported", "openapi", "served_openapi"]

OpenApi: TypeAlias = Callable[[], Json]
"""Makes the OpenAPI document of an app."""


def openapi(made: Assembly) -> Json:
    """The OpenAPI 3.1 document of the routes of an app, also if the app does not serve it.

    Raises:
        ConfigurationError: The app has no HTTP, or Litestar refuses its options.
        WiringError: Litestar does not take some of the routes.
    """
    from .running.web import Web  # noqa: PLC0415  # it loads Litestar

    if made.http is None:
        raise _no_http(made)
    documented = copy(made.http)
    documented.schema = True
    document: Json = Web(msgspec.structs.replace(made, http=documented)).litestar.openapi_schema.to_schema()
    return document


def served_openapi(made: Assembly, litestar: Litestar) -> Json:
    """The OpenAPI document of the application that serves an app: nothing is built or called once more.

    Raises:
        ConfigurationError: The app has no HTTP, or its routes are not to be documented.
    """
    if made.http is None:
        raise _no_http(made)
    if made.http.schema is False:
        raise ConfigurationError(f"{made.service} does not document its routes, DaebusHttp(schema=False)")
    document: Json = litestar.openapi_schema.to_schema()
    return document


def _no_http(made: Assembly) -> ConfigurationError:
    return ConfigurationError(f"{made.service} has no HTTP: attach DaebusHttp() to it")


def exported(made: Assembly, form: str, routes: OpenApi | None = None) -> Mapping[str, bytes]:
    """The files of a format by their paths; the only file of a format that is no folder has the path `WHOLE`.

    Args:
        made: The app.
        form: The format.
        routes: Makes the OpenAPI document; None: `openapi`, which builds an application of Litestar for it.

    Raises:
        BadRequest: There is no such format.
        ConfigurationError: The app has nothing to write in this format.
    """
    write = _WRITERS.get(form)
    if write is None:
        raise BadRequest(f"There is no format {form!r}; the formats are {', '.join(FORMATS)}")
    return write(made, routes or partial(openapi, made))


def _openapi(_: Assembly, routes: OpenApi) -> Mapping[str, bytes]:
    return _document(routes())


def _asyncapi(made: Assembly, _: OpenApi) -> Mapping[str, bytes]:
    from daebus.export.asyncapi import asyncapi  # noqa: PLC0415  # only here it is needed

    return _document(asyncapi(made))


def _contracts(made: Assembly, _: OpenApi) -> Mapping[str, bytes]:
    from daebus.export.described import describe  # noqa: PLC0415  # likewise

    return _document(describe(made))


def _document(made: object) -> Mapping[str, bytes]:
    return {WHOLE: msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"}


def _python(made: Assembly, _: OpenApi) -> Mapping[str, bytes]:
    from daebus.export.contracts import contracts_of  # noqa: PLC0415  # likewise
    from daebus.export.python.files import documented, python  # noqa: PLC0415

    contracts = contracts_of(made)
    return {WHOLE: python(contracts.service, documented(contracts)).encode()}


def _typescript(made: Assembly, _: OpenApi) -> Mapping[str, bytes]:
    from daebus.export.contracts import contracts_of  # noqa: PLC0415  # likewise
    from daebus.export.routes import routes_of  # noqa: PLC0415
    from daebus.export.typescript.files import typescript  # noqa: PLC0415

    files = typescript(contracts_of(made), routes_of(made))
    return {name: text.encode() for name, text in files.items()}


def _html(made: Assembly, routes: OpenApi) -> Mapping[str, bytes]:
    from daebus.export.asyncapi import asyncapi  # noqa: PLC0415  # likewise
    from daebus.pages.files import page_files  # noqa: PLC0415

    return page_files(None if made.http is None else routes(), asyncapi(made))


_WRITERS: Mapping[str, Callable[[Assembly, OpenApi], Mapping[str, bytes]]] = {
    "openapi": _openapi,
    "asyncapi": _asyncapi,
    "contracts": _contracts,
    "html": _html,
    "typescript": _typescript,
    "python": _python,
}

FORMATS: tuple[str, ...] = tuple(_WRITERS)
"""The names of all formats."""

FOLDERS = ("html", "typescript")
"""The formats that are several files."""
