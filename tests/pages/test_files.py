"""A folder of pages: all files that they need are in it."""

from __future__ import annotations

import re

from tests.export.market import app

from daebus.app.documents import openapi
from daebus.export.asyncapi import asyncapi
from daebus.pages.files import page_files


def test_each_file_to_which_a_page_links_is_there() -> None:
    made = app.check()
    files = page_files(openapi(made), asyncapi(made))
    assert set(files) == {"asyncapi.json", "index.html", "messages.html", "openapi.json", "page.css", "page.js"}
    for name in ("index.html", "messages.html"):
        links = re.findall(r'(?:href|src)="([^"#]+)"', files[name].decode())
        assert len(links) == 5
        assert set(links) <= set(files)


def test_without_routes_the_first_page_is_that_of_the_messages() -> None:
    files = page_files(None, asyncapi(app.check()))
    assert set(files) == {"asyncapi.json", "index.html", "page.css", "page.js"}
    assert b"action get_offer" in files["index.html"]
