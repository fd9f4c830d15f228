"""Files: written to the disk as they come, and read in chunks."""

from typing import Annotated

from litestar import Request
from litestar.datastructures import State
from litestar.params import QueryParameter
from litestar.response import File

from chat.archive import Archive
from chat.container import Container
from chat.contracts import Upload, User
from chat.uploads import OTHER, SHOWN, Uploads
from daebus import Blueprint
from daebus.errors import NotFound

_LARGEST = 50_000_000

files = Blueprint("files", prefix="/api", services=Container)


@files.route(
    "/rooms/<room>/files", methods=["POST"], status_code=201, request_max_body_size=_LARGEST, raises=[NotFound]
)
async def store_file(
    room: str,
    name: Annotated[str, QueryParameter(min_length=1, max_length=200)],
    request: Request[object, object, State],
    *,
    user: User,
    archive: Archive,
    uploads: Uploads,
) -> Upload:
    """The body is the file itself, which needs no form and no memory. The page then posts what this returns."""
    await archive.require(room)
    return await uploads.store(name, request.stream())


@files.route("/files/<file_id>/<name>", raises=[NotFound])
async def read_file(file_id: str, name: str, *, user: User, uploads: Uploads) -> File:
    path, ending = uploads.find(file_id), name[name.rfind(".") :].lower()
    is_shown = ending in SHOWN
    return File(
        path,
        filename=name,
        media_type=SHOWN.get(ending, OTHER),
        content_disposition_type="inline" if is_shown else "attachment",
        headers={"Cache-Control": "private, max-age=31536000, immutable"},
    )
