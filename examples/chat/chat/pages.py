"""The page: plain files, with headers that let a browser run nothing else."""

import mimetypes
from pathlib import Path

from litestar.response import File

from daebus import Blueprint
from daebus.errors import NotFound

_PARTS = {path.name: path for path in (Path(__file__).parents[1] / "web").iterdir()}
_POLICY = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-cache"}

pages = Blueprint("pages")


@pages.route("/")
async def show_page() -> File:
    return await show_part("index.html")


@pages.route("/<name>", raises=[NotFound])
async def show_part(name: str) -> File:
    if name not in _PARTS:
        raise NotFound(f"There is no page {name}")
    kind, _ = mimetypes.guess_type(name)
    return File(_PARTS[name], filename=name, media_type=kind, content_disposition_type="inline", headers=_HEADERS)
