"""The service that docs/guide.md shows: large files, pages of results, versions, cookies, work after the response."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import Cookie
from litestar.params import CookieParameter, HeaderParameter
from litestar.response import File, Redirect

from daebus import Blueprint, Bus, Daebus, DaebusHttp
from daebus.errors import BadRequest, Conflict, NotFound
from daebus.files import read_parts

notes = Blueprint("notes")
FOLDER = Path("uploads")
LARGE = 2_000_000_000


class Saved(msgspec.Struct):
    name: str
    size: int


def path_of(name: str) -> Path:
    kept = Path(name).name
    if kept in {"", ".."} or "\0" in kept or len(kept.encode()) > 255:
        raise BadRequest("This cannot be the name of a file")
    return FOLDER / kept


@notes.route("/files/<name>", methods=["PUT"], status_code=201, request_max_body_size=LARGE)
async def put_file(name: str, request: Request[Any, Any, Any]) -> Saved:
    size = 0
    with path_of(name).open("wb") as file:
        async for chunk in request.stream():
            size += file.write(chunk)
    return Saved(name, size)


@notes.route("/files", methods=["POST"], status_code=201, request_max_body_size=LARGE)
async def post_files(request: Request[Any, Any, Any]) -> list[Saved]:
    saved: list[Saved] = []
    async for part in read_parts(request):
        if part.filename is None:
            continue
        size = 0
        with path_of(part.filename).open("wb") as file:
            async for chunk in part:
                size += file.write(chunk)
        saved.append(Saved(part.filename, size))
    return saved


@notes.route("/files/<name>", methods=["GET", "HEAD"])
async def get_file(name: str) -> File:
    path = path_of(name)
    if not path.is_file():
        raise NotFound(f"There is no {name}")
    return File(path, filename=path.name)


class Note(msgspec.Struct):
    id: int
    text: str
    version: int = 1


NOTES = {number: Note(number, f"note {number}") for number in range(1, 101)}


class Page(msgspec.Struct):
    notes: list[Note]
    next: str | None


@notes.route("/notes")
async def list_notes(after: str = "", limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20) -> Page:
    last = read_cursor(after)
    found = [note for note in NOTES.values() if note.id > last][: limit + 1]
    has_more = len(found) > limit
    return Page(found[:limit], make_cursor(found[limit - 1].id) if has_more else None)


def make_cursor(last: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(last)).decode()


def read_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=int)
    except ValueError as error:
        raise BadRequest("The cursor is not one of this list") from error


class Outdated(Conflict):
    """The note was changed since it was read."""

    code = "outdated"
    status = 412


@notes.route("/notes/<number>")
async def get_note(number: int) -> Response[Note]:
    note = NOTES[number]
    return Response(note, headers={"ETag": f'"{note.version}"'})


@notes.route("/notes/<number>", methods=["PUT"], raises=[Outdated])
async def put_note(number: int, data: str, version: Annotated[str, HeaderParameter(name="If-Match")]) -> Note:
    note = NOTES[number]
    if version != f'"{note.version}"':
        raise Outdated(f"Note {number} has version {note.version}")
    NOTES[number] = Note(number, data, note.version + 1)
    return NOTES[number]


@notes.route("/theme/<name>", methods=["POST"])
async def set_theme(name: str) -> Redirect:
    cookie = Cookie("theme", name, httponly=True, secure=True, samesite="lax")
    return Redirect("/theme", status_code=303, cookies=[cookie])


@notes.route("/theme")
async def show_theme(theme: Annotated[str, CookieParameter(name="theme")] = "light") -> str:
    return theme


@notes.route("/reports", methods=["POST"], status_code=202)
async def order_report(*, bus: Bus) -> None:
    await bus.send(make_report, "monthly", after="commit")


@notes.action("make_report")
async def make_report(kind: str) -> None:
    (FOLDER / f"{kind}.txt").write_text("a report")


app = Daebus("notes")
csrf = CSRFConfig(secret="change me, and keep me in the environment", exclude=["/files", "/notes", "/reports"])
app.attach(DaebusHttp(port=8080, msgpack=True, csrf_config=csrf, compression_config=CompressionConfig("gzip")))
app.register_blueprint(notes)


@app.action("ticks", sse="GET /ticks")
async def ticks() -> AsyncIterator[int]:
    yield 1
