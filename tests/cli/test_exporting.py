"""``daebus export``: documents of an app on stdout or in a file, without a server."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.processes import daebus

NOWHERE = "redis://127.0.0.1:1"
MARKET = "tests.export.market:app"


async def test_the_document_goes_to_stdout() -> None:
    done = await daebus("export", "asyncapi", MARKET, redis_url=NOWHERE)
    assert done.code == 0, done.errors
    assert msgspec.json.decode(done.output)["info"]["title"] == "market"
    assert done.errors == ""


async def test_the_document_goes_to_a_file(tmp_path: Path) -> None:
    done = await daebus("export", "openapi", MARKET, "-o", str(tmp_path / "api.json"), redis_url=NOWHERE)
    assert done.code == 0, done.errors
    assert done.output == ""
    assert "/offers/{offer_id}" in msgspec.json.decode((tmp_path / "api.json").read_bytes())["paths"]


async def test_the_pages_go_to_a_folder(tmp_path: Path) -> None:
    done = await daebus("export", "html", MARKET, "-o", str(tmp_path / "made" / "pages"), redis_url=NOWHERE)
    assert done.code == 0, done.errors
    assert "wrote 6 files to" in done.errors
    assert "<title>market · HTTP</title>" in (tmp_path / "made" / "pages" / "index.html").read_text()
    done = await daebus("export", "html", MARKET, redis_url=NOWHERE)
    assert (done.code, "name their folder, -o FOLDER" in done.errors) == (2, True)


async def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = await daebus("export", "html", MARKET, "-o", str(tmp_path / "taken"), redis_url=NOWHERE)
    assert done.code == 1
    assert "cannot be written" in done.errors
    assert "Traceback" not in done.errors


async def test_an_app_that_cannot_be_loaded_is_one_clear_error() -> None:
    done = await daebus("export", "openapi", "tests.export.nothing:app", redis_url=NOWHERE)
    assert done.code == 2
    assert "tests.export.nothing" in done.errors
    assert "Traceback" not in done.errors
