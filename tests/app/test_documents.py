"""The OpenAPI document of an app that does not run."""

from __future__ import annotations

import pytest
from tests.export.market import app

from daebus import Daebus, DaebusHttp, Settings
from daebus.app.documents import openapi
from daebus.errors import ConfigurationError
from daebus.export.asyncapi import asyncapi


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


@pytest.mark.parametrize(
    ("given", "variable", "version"),
    [("1.4.2", "2.0.0", "1.4.2"), (None, "2.0.0", "2.0.0"), (None, "", "1.0.0")],
)
def test_documents_have_the_version_of_the_service(
    given: str | None, variable: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAEBUS_VERSION", variable)
    shop = Daebus("shop", settings=Settings(version=given))
    shop.attach(DaebusHttp())
    made = shop.check(may_idle=True)
    assert [document(made)["info"]["version"] for document in (openapi, asyncapi)] == [version, version]


def test_an_app_without_http_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"quiet has no HTTP: attach DaebusHttp\(\) to it"):
        openapi(Daebus("quiet").check(may_idle=True))
