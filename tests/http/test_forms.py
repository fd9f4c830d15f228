"""Forms with files, sent over TCP: typed ones are taken, and what is wrong with one is told."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, cast

import msgspec
import pytest
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from tests.http.web import problem_of

from daebus import (
    Daebus,
    DaebusHttp,
    HttpLimits,
    WiringError,
)
from daebus.testing import running

FORM = Body(media_type=RequestEncodingType.MULTI_PART)
FILE = ("a.txt", b"hello")
ANOTHER = ("b.txt", b"hi")


class Photo(msgspec.Struct):
    title: str
    photo: UploadFile
    count: int = 1


@dataclasses.dataclass
class Picture:
    title: str
    photo: UploadFile


class Album(msgspec.Struct):
    photos: list[UploadFile]
    tags: list[str] = []


class Avatar(msgspec.Struct):
    photo: UploadFile | None = None


async def told(part: object) -> object:
    """What a handler has got, as JSON."""
    if isinstance(part, UploadFile):
        return [part.filename, (await part.read()).decode()]
    if isinstance(part, list):
        return [await told(one) for one in cast("list[object]", part)]
    if isinstance(part, msgspec.Struct):
        return {name: await told(getattr(part, name)) for name in part.__struct_fields__}
    if dataclasses.is_dataclass(part):
        return {field.name: await told(getattr(part, field.name)) for field in dataclasses.fields(part)}
    if isinstance(part, dict):
        return {name: await told(one) for name, one in cast("dict[str, object]", part).items()}
    return part


def taking(kind: object, *, marked: bool = True, **http: Any) -> Daebus:
    app = Daebus("forms")
    app.attach(DaebusHttp(port=0, **http))

    async def save(data: Any) -> Any:
        return await told(data)

    save.__annotations__["data"] = Annotated[kind, FORM] if marked else kind
    app.route("/x", methods=["POST"])(save)
    return app


SENT: list[tuple[object, dict[str, Any], object]] = [
    (UploadFile, {"files": {"any": FILE}}, ["a.txt", "hello"]),
    (list[UploadFile], {"files": [("any", FILE), ("any", ANOTHER)]}, [["a.txt", "hello"], ["b.txt", "hi"]]),
    (list[UploadFile], {"files": [("any", FILE)]}, [["a.txt", "hello"]]),
    (
        dict[str, UploadFile],
        {"files": {"one": FILE, "two": ANOTHER}},
        {"one": ["a.txt", "hello"], "two": ["b.txt", "hi"]},
    ),
    (
        Photo,
        {"files": {"photo": FILE}, "data": {"title": "t", "count": "2"}},
        {"title": "t", "photo": ["a.txt", "hello"], "count": 2},
    ),
    (Picture, {"files": {"photo": FILE}, "data": {"title": "t"}}, {"title": "t", "photo": ["a.txt", "hello"]}),
    (
        Album,
        {"files": [("photos", FILE), ("photos", ANOTHER)], "data": {"tags": ["x", "y"]}},
        {"photos": [["a.txt", "hello"], ["b.txt", "hi"]], "tags": ["x", "y"]},
    ),
    (Album, {"files": [("photos", FILE)]}, {"photos": [["a.txt", "hello"]], "tags": []}),
    (Avatar, {"files": {"photo": FILE}}, {"photo": ["a.txt", "hello"]}),
    (Avatar, {"files": {"other": (None, "text")}}, {"photo": None}),
    (
        dict[str, object],
        {"files": {"photo": FILE}, "data": {"title": "t"}},
        {"title": "t", "photo": ["a.txt", "hello"]},
    ),
]


@pytest.mark.parametrize(("kind", "sent", "got"), SENT)
async def test_a_form_with_files(daebus_redis_url: str, kind: object, sent: dict[str, Any], got: object) -> None:
    async with running(taking(kind)) as service:
        response = await service.http.post("/x", **sent)
    assert (response.status_code, response.json()) == (200, got)


TEXT = {"files": {"title": (None, "t")}}
WRONG: list[tuple[object, dict[str, Any], list[tuple[str, str]]]] = [
    (UploadFile, TEXT, [("$", "Expected a file")]),
    (UploadFile, {"files": {"photo": (None, "no file")}}, [("$", "Expected a file")]),
    (UploadFile, {"files": [("any", FILE), ("any", ANOTHER)]}, [("$", "Expected a file")]),
    (UploadFile, {"content": b""}, [("$", "Expected a file")]),
    (list[UploadFile], TEXT, [("$[0]", "Expected a file")]),
    (list[UploadFile], {"content": b""}, [("$", "Expected a file")]),
    (dict[str, UploadFile], TEXT, [("$.title", "Expected a file")]),
    (Photo, TEXT, [("$.photo", "Missing, expected `UploadFile`")]),
    (
        Photo,
        {"files": {"photo": (None, "no file"), "count": (None, "x")}},
        [
            ("$.title", "Missing, expected `str`"),
            ("$.photo", "Expected a file"),
            ("$.count", "Expected `int`, got `str`"),
        ],
    ),
    (Picture, TEXT, [("$.photo", "Missing, expected `UploadFile`")]),
    (Album, {"files": [("photos", FILE), ("photos", (None, "text"))]}, [("$.photos[1]", "Expected a file")]),
    (Avatar, {"files": {"photo": (None, "no file")}}, [("$.photo", "Expected a file")]),
    (Avatar, {"files": [("photo", FILE), ("photo", ANOTHER)]}, [("$.photo", "Expected one file, got 2")]),
    (
        Photo,
        {"files": [("photo", FILE), ("photo", ANOTHER)], "data": {"title": "t"}},
        [("$.photo", "Expected one file, got 2")],
    ),
]


@pytest.mark.parametrize(("kind", "sent", "found"), WRONG)
async def test_what_is_wrong_with_a_form_is_told(
    daebus_redis_url: str, caplog: pytest.LogCaptureFixture, kind: object, sent: dict[str, Any], found: object
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"} if "content" in sent else {}
    async with running(taking(kind)) as service:
        problem = problem_of(await service.http.post("/x", **sent, headers=headers), 400)
    assert [(error["path"], error["problem"]) for error in problem["details"]["errors"]] == found
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_form_that_is_broken_or_too_large_is_refused(daebus_redis_url: str) -> None:
    async with running(taking(Photo, limits=HttpLimits(max_body_size=10_000))) as service:
        for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
            problem_of(await service.http.post("/x", content=b"--x\r\nbroken", headers={"content-type": kind}), 400)
        large = ("a.txt", b"a" * 20_000)
        problem_of(await service.http.post("/x", files={"photo": large}, data={"title": "t"}), 413)
        response = await service.http.post("/x", files={"photo": FILE}, data={"title": "t"})
        assert response.status_code == 200


@pytest.mark.parametrize("kind", [UploadFile, list[UploadFile], Photo])
async def test_a_file_that_would_be_read_from_json_is_refused(kind: object) -> None:
    with pytest.raises(WiringError, match="a file is sent in a form") as caught:
        taking(kind, marked=False).check()
    assert "Body(media_type=RequestEncodingType.MULTI_PART)" in caught.value.problems[0].remedy


class FileOrText(msgspec.Struct):
    photo: UploadFile | str


@pytest.mark.parametrize("kind", [dict[str, UploadFile | str], UploadFile | str, list[str | UploadFile], FileOrText])
@pytest.mark.parametrize("marked", [True, False])
async def test_a_part_that_may_be_a_file_or_something_else_is_refused(kind: object, marked: bool) -> None:
    with pytest.raises(WiringError) as caught:
        taking(kind, marked=marked).check()
    if marked:
        assert "may be a file cannot have another type" in str(caught.value)
        assert "dict[str, object]" in caught.value.problems[0].remedy


class Name(msgspec.Struct):
    name: str


class Choice(msgspec.Struct):
    name: str = "nobody"


MULTI_PART, URL_ENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
OTHER_TYPES = [
    (MULTI_PART, Photo, "application/json"),
    (MULTI_PART, Avatar, "application/json"),
    (MULTI_PART, UploadFile, "application/json"),
    (MULTI_PART, list[UploadFile], "text/plain"),
    (MULTI_PART, Choice, URL_ENCODED),
    (MULTI_PART, Choice, None),
    (URL_ENCODED, Name, "application/json"),
    (URL_ENCODED, Choice, "application/json"),
    (URL_ENCODED, dict[str, str], "multipart/form-data; boundary=x"),
    (URL_ENCODED, Name, None),
]


@pytest.mark.parametrize(("form", "kind", "sent"), OTHER_TYPES)
async def test_a_body_that_is_no_such_form_is_refused(
    daebus_redis_url: str, form: str, kind: object, sent: str | None
) -> None:
    app = Daebus("forms")
    app.attach(DaebusHttp(port=0))

    async def save(data: Any) -> Any:
        return await told(data)

    save.__annotations__["data"] = Annotated[kind, Body(media_type=RequestEncodingType(form))]
    app.route("/x", methods=["POST"])(save)
    async with running(app) as service:
        headers = {} if sent is None else {"content-type": sent}
        problem = problem_of(await service.http.post("/x", content=b'{"name": "x"}', headers=headers), 415)
    wanted = f"The body must be a form, with the header Content-Type: {form}, not {sent or 'without it'}"
    assert problem["detail"] == wanted


async def test_forms_of_their_types_are_taken(daebus_redis_url: str) -> None:
    app = Daebus("forms")
    app.attach(DaebusHttp(port=0))

    async def before(request: Request[Any, Any, Any]) -> str | None:
        return "answered before" if "early" in request.query_params else None

    @app.route("/x", methods=["POST"], before_request=before)
    async def save(data: Annotated[Choice, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> str:
        return data.name

    async with running(app) as service:
        assert (await service.http.post("/x", data={"name": "x"})).text == "x"
        for kind in (URL_ENCODED.upper(), f"{URL_ENCODED}; charset=utf-8"):
            response = await service.http.post("/x", content=b"name=y", headers={"content-type": kind})
            assert response.text == "y"
        assert (await service.http.post("/x")).text == "nobody"
        assert (await service.http.post("/x?early=1", json={})).text == "answered before"
        problem_of(await service.http.post("/x", json={}), 415)


async def test_what_no_form_has_is_still_refused() -> None:
    class Odd(msgspec.Struct):
        photo: UploadFile
        number: complex

    with pytest.raises(WiringError, match="complex has no JSON form"):
        taking(Odd).check()
