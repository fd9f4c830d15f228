"""What docs/guide.md promises of large files, pages of results, versions, cookies, and work after the response."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.guide.transfers import app
from tests.support import until

from daebus.testing import RunningService, running

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningService]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uploads").mkdir()
    async with running(app) as service:
        yield service


async def test_uploads_and_ranges(service: RunningService) -> None:
    http = service.http
    content = bytes(range(256)) * 5000
    assert (await http.put("/files/a.bin", content=content)).json() == {"name": "a.bin", "size": len(content)}
    form = await http.post("/files", files={"one": ("b.txt", b"0123456789"), "two": ("c.txt", b"")}, data={"x": "y"})
    assert form.json() == [{"name": "b.txt", "size": 10}, {"name": "c.txt", "size": 0}]
    whole = await http.get("/files/a.bin")
    assert (whole.content, whole.headers["accept-ranges"]) == (content, "bytes")
    etag = whole.headers["etag"]
    for asked, found in (("0-9", content[:10]), ("1000000-", content[1_000_000:]), ("-5", content[-5:])):
        part = await http.get("/files/a.bin", headers={"Range": f"bytes={asked}", "If-Range": etag})
        assert (part.status_code, part.content) == (206, found)
    assert part.headers["content-range"] == f"bytes {len(content) - 5}-{len(content) - 1}/{len(content)}"
    other = await http.get("/files/a.bin", headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, len(content))
    beyond = await http.get("/files/b.txt", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10")
    unchanged = await http.get("/files/a.bin", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    since = await http.get("/files/a.bin", headers={"If-Modified-Since": whole.headers["last-modified"]})
    assert since.status_code == 304
    assert (await http.get("/files/none")).status_code == 404


@pytest.mark.parametrize("name", ["é" * 128, "a%00b"])
async def test_names_that_no_file_can_have(service: RunningService, name: str) -> None:
    for answer in (await service.http.put(f"/files/{name}", content=b"x"), await service.http.get(f"/files/{name}")):
        assert (answer.status_code, answer.json()["detail"]) == (400, "This cannot be the name of a file")


async def test_names_in_a_form_that_no_file_can_have(service: RunningService) -> None:
    for name in ("a" * 256, ".."):
        form = await service.http.post("/files", files={"one": (name, b"x")})
        assert (form.status_code, form.json()["detail"]) == (400, "This cannot be the name of a file")
    assert (await service.http.post("/files", files={"one": ("a" * 255, b"x")})).status_code == 201


async def test_pages(service: RunningService) -> None:
    found: list[int] = []
    after = ""
    while True:
        page = (await service.http.get("/notes", params={"after": after, "limit": 30})).json()
        found += [note["id"] for note in page["notes"]]
        after = page["next"]
        if after is None:
            break
    assert found == list(range(1, 101))
    assert (await service.http.get("/notes", params={"after": "nonsense"})).status_code == 400


async def test_versions(service: RunningService) -> None:
    first = await service.http.get("/notes/7")
    etag = first.headers["etag"]
    assert (await service.http.get("/notes/7", headers={"If-None-Match": f'W/"0", {etag}'})).status_code == 304
    changed = await service.http.put("/notes/7", content=b'"new"', headers={**JSON, "If-Match": etag})
    assert changed.json() == {"id": 7, "text": "new", "version": 2}
    late = await service.http.put("/notes/7", content=b'"late"', headers={**JSON, "If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "outdated")
    assert (await service.http.get("/notes/7", headers={"If-None-Match": etag})).json()["text"] == "new"


async def test_message_pack(service: RunningService) -> None:
    packed = {"Accept": "application/msgpack", "Content-Type": "application/msgpack"}
    page = await service.http.get("/notes?limit=1", headers=packed)
    assert (page.headers["content-type"], page.headers["vary"]) == ("application/msgpack", "Accept")
    assert msgspec.msgpack.decode(page.content)["notes"] == [{"id": 1, "text": "note 1", "version": 1}]
    body = msgspec.msgpack.encode("packed")
    changed = await service.http.put("/notes/8", content=body, headers={**packed, "If-Match": '"1"'})
    assert msgspec.msgpack.decode(changed.content)["text"] == "packed"
    wrong = await service.http.put("/notes/8", content=b"\xc1", headers={**packed, "If-Match": '"2"'})
    assert (wrong.status_code, msgspec.msgpack.decode(wrong.content)["code"]) == (400, "bad_request")
    in_json = await service.http.get(
        "/notes?limit=1", headers={"Accept": "application/json, application/msgpack;q=0.5"}
    )
    assert in_json.headers["content-type"] == "application/json"


async def test_cookies_and_csrf(service: RunningService) -> None:
    refused = await service.http.post("/theme/dark")
    assert refused.status_code == 403
    page = await service.http.get("/theme")
    token = page.cookies["csrftoken"]
    cookies = {"Cookie": f"csrftoken={token}", "x-csrftoken": token}
    answer = await service.http.post("/theme/dark", headers=cookies)
    assert (answer.status_code, answer.headers["location"]) == (303, "/theme")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert (await service.http.get("/theme", headers={"Cookie": "theme=dark"})).text == "dark"


async def test_work_after_the_response(service: RunningService) -> None:
    assert (await service.http.post("/reports")).status_code == 202
    await until(lambda: Path("uploads/monthly.txt").exists())


async def test_compression(service: RunningService) -> None:
    page = await service.http.get("/notes?limit=100", headers={"Accept-Encoding": "gzip"})
    assert page.headers["content-encoding"] == "gzip"
    assert len(page.json()["notes"]) == 100


async def test_what_is_not_compressed(service: RunningService) -> None:
    gzip = {"Accept-Encoding": "gzip"}
    events = await service.http.get("/ticks", headers={**gzip, "Accept": "text/event-stream"})
    assert events.text.split()[:2] == ["data:", "1"]
    assert "content-encoding" not in events.headers
    content = b"0123456789" * 1000
    await service.http.put("/files/a.txt", content=content)
    whole = await service.http.get("/files/a.txt", headers=gzip)
    assert (whole.headers["content-encoding"], whole.content) == ("gzip", content)
    part = await service.http.get("/files/a.txt", headers={**gzip, "Range": "bytes=5-9999"})
    assert (part.status_code, part.content, part.headers["content-length"]) == (206, content[5:], "9995")
    assert "content-encoding" not in part.headers
