"""The service with uploads, downloads and streams that docs/guide.md shows, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import File, ServerSentEvent, Stream

from daebus import (
    Blueprint,
    Context,
    Daebus,
    DaebusHttp,
    HttpLimits,
)

files = Blueprint("files")
FOLDER = Path("media")


class Product(msgspec.Struct):
    title: str
    photo: UploadFile
    manual: UploadFile | None = None
    more_photos: list[UploadFile] = []
    price: int = 0


class Stored(msgspec.Struct):
    title: str
    names: list[str]
    size: int


@files.route("/products", methods=["POST"], status_code=201)
async def add_product(data: Annotated[Product, Body(media_type=RequestEncodingType.MULTI_PART)]) -> Stored:
    uploads = [data.photo, *data.more_photos]
    if data.manual is not None:
        uploads.append(data.manual)
    size = sum([len(await upload.read()) for upload in uploads])
    return Stored(data.title, [upload.filename for upload in uploads], size)


@files.route("/parts", methods=["POST"], request_max_body_size=1000)
async def list_parts(data: Annotated[dict[str, object], Body(media_type=RequestEncodingType.MULTI_PART)]) -> list[str]:
    return [part.filename if isinstance(part, UploadFile) else str(part) for part in data.values()]


@files.route("/catalogue", methods=["GET", "HEAD"])
async def catalogue() -> File:
    return File(FOLDER / "catalogue.pdf", filename="catalogue.pdf", media_type="application/pdf")


@files.route("/numbers.csv")
async def numbers() -> Stream:
    async def lines() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"{number}\n"

    return Stream(lines(), media_type="text/csv")


@files.route("/clock")
async def clock(context: Context) -> ServerSentEvent:
    async def ticks() -> AsyncIterator[str]:
        while not context.stopping.is_set():
            yield datetime.now(UTC).isoformat()
            with suppress(TimeoutError):
                await asyncio.wait_for(context.stopping.wait(), 1)

    return ServerSentEvent(ticks())


app = Daebus("files")
app.attach(DaebusHttp(port=8080, limits=HttpLimits(max_body_size=20_000_000)))
app.register_blueprint(files)
