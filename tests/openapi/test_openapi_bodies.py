"""Bodies that a signature does not show are in the document: what is read as it arrives, and MessagePack."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.guide.transfers import app as transfers

from daebus import Daebus, DaebusHttp
from daebus.testing import running


class Item(msgspec.Struct):
    name: str


async def test_uploads_that_are_read_as_they_arrive() -> None:
    async with running(transfers) as service:
        document: dict[str, Any] = (await service.http.get("/schema/openapi.json")).json()
    OpenAPIV31SpecValidator(document).validate()
    bodies = {
        (method, path): list(found["requestBody"]["content"])
        for path, item in document["paths"].items()
        for method, found in item.items()
        if "requestBody" in found
    }
    assert bodies["put", "/files/{name}"] == ["application/octet-stream"]
    assert bodies["post", "/files"] == ["multipart/form-data"]


@pytest.mark.parametrize("msgpack", [True, False])
async def test_messagepack_is_in_the_document_where_it_is_accepted_and_given(*, msgpack: bool) -> None:
    app = Daebus("packed")
    app.attach(DaebusHttp(port=0, msgpack=msgpack))

    @app.route("/items", methods=["POST"], status_code=200)
    async def add(data: Item) -> Item:
        return data

    @app.action("find", http="GET /items/<name>")
    async def find(name: str) -> Item:
        return Item(name)

    async with running(app) as service:
        document: dict[str, Any] = (await service.http.get("/schema/openapi.json")).json()
        packed = {"content-type": "application/msgpack", "accept": "application/msgpack"}
        answer = await service.http.post("/items", content=msgspec.msgpack.encode(Item("cup")), headers=packed)
        refused = await service.http.post("/items", content=msgspec.msgpack.encode({}), headers=packed)
    OpenAPIV31SpecValidator(document).validate()
    adding, finding = document["paths"]["/items"]["post"], document["paths"]["/items/{name}"]["get"]
    contents = [adding["requestBody"]["content"], *(one["content"] for one in adding["responses"].values())]
    contents.append(finding["responses"]["200"]["content"])
    assert {"application/msgpack" in content for content in contents} == {msgpack}
    if msgpack:
        assert (answer.headers["content-type"], refused.headers["content-type"]) == ("application/msgpack",) * 2
        shown = contents[0]
        assert shown["application/msgpack"] == shown["application/json"]


async def test_a_file_may_have_any_media_type_and_its_time_is_that_of_http() -> None:
    async with running(transfers) as service:
        document: dict[str, Any] = (await service.http.get("/schema/openapi.json")).json()
    found = document["paths"]["/files/{name}"]["get"]["responses"]["200"]
    assert found["content"] == {"*/*": {}}
    assert found["headers"]["last-modified"]["schema"] == {"type": "string"}
