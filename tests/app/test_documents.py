"""The OpenAPI document of an app that does not run."""

from __future__ import annotations

import pytest
from tests.export.market import app

from daebus import Daebus, DaebusHttp
from daebus.app.documents import openapi
from daebus.errors import ConfigurationError


def test_the_routes_are_documented_without_a_server() -> None:
    document = openapi(app.check())
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "market"
    assert document["paths"]["/offers/{offer_id}"]["get"]["summary"] == "One offer."


def test_an_app_that_does_not_serve_the_document_has_one_all_the_same() -> None:
    hidden, http = Daebus("hidden"), DaebusHttp(schema=False)
    hidden.attach(http)
    assert openapi(hidden.check(may_idle=True))["info"]["title"] == "hidden"
    assert http.schema is False


def test_an_app_without_http_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"quiet has no HTTP: attach DaebusHttp\(\) to it"):
        openapi(Daebus("quiet").check(may_idle=True))
