"""The page: plain files, with headers that let a browser run nothing else."""

import mimetypes
from pathlib import Path

from litestar.response import File

from daebus import Blueprint
from daebus.errors import NotFound

_FILES = {path.name: path for path in (Path(__file__).parents[2] / "web").iterdir()}
_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-cache"}

pages = Blueprint("pages")


@pages.route("/", include_in_schema=False)
async def show_page() -> File:
    return await show_file("index.html")


@pages.route("/<name>", include_in_schema=False)
async def show_file(name: str) -> File:
    if name not in _FILES:
        raise NotFound(f"There is no page {name}")
    kind, _ = mimetypes.guess_type(name)
    return File(_FILES[name], filename=name, media_type=kind, content_disposition_type="inline", headers=_HEADERS)
