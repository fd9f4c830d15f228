"""The files of a page, and of a folder of pages that needs no server."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec

from daebus.payloads.schemas import Json

from .asyncapi import read_asyncapi
from .html import Link, render
from .openapi import read_openapi

__all__ = ["asset", "page_files"]

_ASSETS = ("page.css", "page.js")


def asset(name: str) -> bytes:
    """The style or the script of the pages."""
    return files("daebus.pages").joinpath("assets", name).read_bytes()


def page_files(openapi: Json | None, asyncapi: Json) -> Mapping[str, bytes]:
    """The files of a folder of pages, by their names: ``index.html`` is the first page.

    Args:
        openapi: The document of the routes; None: there are none.
        asyncapi: The document of the messages.
    """
    documents = {"asyncapi.json": asyncapi} if openapi is None else {"openapi.json": openapi, "asyncapi.json": asyncapi}
    read = {"openapi.json": read_openapi, "asyncapi.json": read_asyncapi}
    references = {name: read[name](document) for name, document in documents.items()}
    names = dict(zip(documents, ("index.html", "messages.html"), strict=False))
    found = {name: asset(name) for name in _ASSETS}
    for name, reference in references.items():
        pages = [Link(one.subject, names[key], is_here=key == name) for key, one in references.items()]
        links = [Link(key, key) for key in documents]
        found[names[name]] = render(reference, pages=pages, files=links, assets="").encode()
        found[name] = msgspec.json.format(msgspec.json.encode(documents[name]), indent=2) + b"\n"
    return found
