"""What docs/guide.md promises of uploads, downloads and streams."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.guide.files import app

from daebus.testing import RunningService, running


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running(app) as service:
        yield service


async def test_a_form(service: RunningService) -> None:
    photo = ("a.png", b"12345")
    response = await service.http.post("/products", files={"photo": photo}, data={"title": "cup"})
    assert (response.status_code, response.json()) == (201, {"title": "cup", "names": ["a.png"], "size": 5})
    everything = [("photo", photo), ("manual", ("m.pdf", b"1")), *[("more_photos", ("b.png", b"12"))] * 2]
    response = await service.http.post("/products", files=everything, data={"title": "cup", "price": "3"})
    assert response.json() == {"title": "cup", "names": ["a.png", "b.png", "b.png", "m.pdf"], "size": 10}


async def test_what_is_wrong_with_a_form(service: RunningService) -> None:
    wrong = {"manual": (None, "no file"), "price": (None, "cheap")}
    refused = await service.http.post("/products", files=wrong)
    assert refused.status_code == 400
    assert [(error["path"], error["problem"]) for error in refused.json()["details"]["errors"]] == [
        ("$.title", "Missing, expected `str`"),
        ("$.photo", "Missing, expected `UploadFile`"),
        ("$.manual", "Expected a file"),
        ("$.price", "Expected `int`, got `str`"),
    ]
    refused = await service.http.post("/products", json={"title": "cup"})
    assert refused.status_code == 415
    assert "Content-Type: multipart/form-data" in refused.json()["detail"]


async def test_parts_of_any_name_and_a_limit(service: RunningService) -> None:
    response = await service.http.post("/parts", files={"any": ("a.txt", b"1")}, data={"more": "text"})
    assert sorted(response.json()) == ["a.txt", "text"]
    assert (await service.http.post("/parts", files={"any": ("a.txt", b"1" * 2000)})).status_code == 413
    large = {"photo": ("a.png", b"1" * 2_000_000)}
    assert (await service.http.post("/products", files=large, data={"title": "cup"})).json()["size"] == 2_000_000


async def test_answers(service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "catalogue.pdf").write_bytes(b"a catalogue")
    response = await service.http.get("/catalogue")
    assert (response.content, response.headers["content-type"]) == (b"a catalogue", "application/pdf")
    assert "attachment" in response.headers["content-disposition"]
    head = await service.http.head("/catalogue")
    assert (head.status_code, head.headers["content-length"], head.headers["etag"]) == (
        200,
        "11",
        response.headers["etag"],
    )
    part = await service.http.get("/catalogue", headers={"Range": "bytes=0-2"})
    assert (part.status_code, part.content) == (206, b"a c")
    assert (await service.http.get("/numbers.csv")).text.splitlines()[-1] == "999"


async def test_an_event_stream_ends_with_the_service() -> None:
    async with running(app) as service, service.http.stream("GET", "/clock") as response:
        async for line in response.aiter_lines():
            if line:
                assert line.startswith("data: 20")
                break
