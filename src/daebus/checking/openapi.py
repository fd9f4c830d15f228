"""The OpenAPI 3.1 document of an app, without a server."""

from __future__ import annotations

from copy import copy

import msgspec

from daebus.app.assembly import Assembly
from daebus.app.running.web import Web
from daebus.errors import ConfigurationError
from daebus.payloads.schemas import Json

__all__ = ["openapi"]


def openapi(made: Assembly) -> Json:
    """The OpenAPI document of the routes of an app, also if the app does not serve it.

    Raises:
        ConfigurationError: The app has no HTTP, or Litestar refuses its options.
        WiringError: Litestar does not take some of the routes.
    """
    if made.http is None:
        raise ConfigurationError(f"{made.service} has no HTTP: attach DaebusHttp() to it")
    documented = copy(made.http)
    documented.schema = True
    document: Json = Web(msgspec.structs.replace(made, http=documented)).litestar.openapi_schema.to_schema()
    return document
