"""``daebus export``: documents of an app on stdout or in a file, without a server."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.processes import daebus
from tests.support import raw_redis

from daebus.app.documents import FORMATS, exported
from daebus.checking.contract_sources import read_contracts
from daebus.checking.examination import examine
from daebus.checking.running_service import exported_by
from daebus.checking.targets import TargetError
from daebus.compare.comparing import compare
from daebus.export.described import describe
from daebus.protocol.discovery import WHOLE, Files, Identity
from daebus.protocol.messages import Reply
from daebus.testing import running

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


@pytest.fixture
async def market(daebus_redis_url: str) -> AsyncGenerator[str]:
    """The URL of the server on which the market runs."""
    async with running(importlib.import_module("tests.export.market").app):
        yield daebus_redis_url


async def test_a_running_service_writes_what_its_code_would(market: str) -> None:
    made = examine(MARKET).require()
    for form in FORMATS:
        assert await asyncio.to_thread(exported_by, "market", form, market) == exported(made, form)
    done = await daebus("export", "contracts", "--service", "market", redis_url=market)
    assert (done.code, done.errors) == (0, "")
    assert done.output.encode() == exported(made, "contracts")[WHOLE]


async def test_the_code_is_compared_with_what_runs(market: str, tmp_path: Path) -> None:
    now = await asyncio.to_thread(read_contracts, "service://market", None, market)
    assert compare(now, describe(examine(MARKET).require())) == []
    (tmp_path / "old.json").write_bytes(exported(examine("tests.export.torture:app").require(), "contracts")[WHOLE])
    done = await daebus("export", "--diff", str(tmp_path / "old.json"), "service://market", redis_url=market)
    assert done.code == 1
    assert "breaking: " in done.output


async def test_a_service_that_does_not_run_is_one_clear_error(daebus_redis_url: str) -> None:
    done = await daebus("export", "openapi", "--service", "market", redis_url=daebus_redis_url)
    assert done.code == 2
    assert "running service 'market' cannot be read: No instance of 'market' answers." in done.errors
    assert "Traceback" not in done.errors


@asynccontextmanager
async def lying(redis_url: str, files: Mapping[str, bytes]) -> AsyncGenerator[None]:
    """Somebody who answers for an instance of `shop`, with these files."""
    who = Identity(
        service="shop",
        instance="i",
        state="running",
        version=None,
        metadata={},
        daebus="1",
        python="3",
        host="h",
        pid=1,
        started=1,
    )

    async with raw_redis(redis_url) as redis, redis.pubsub() as heard:
        await heard.subscribe("daebus:{shop}:discovery")

        async def lie() -> None:
            async for message in heard.listen():
                if message["type"] == "message":
                    asked = msgspec.json.decode(message["data"])
                    payload: object = who if asked["ask"] == "ping" else Files(files)
                    reply = Reply("success", msgspec.Raw(msgspec.json.encode(payload)), asked["request_id"])
                    await redis.publish(asked["reply_to"], msgspec.json.encode(reply))

        task = asyncio.create_task(lie())
        try:
            yield
        finally:
            task.cancel()


async def test_a_path_that_leaves_the_folder_is_refused(daebus_redis_url: str, tmp_path: Path) -> None:
    async with lying(daebus_redis_url, {"../evil.ts": b"no"}):
        folder = tmp_path / "inner"
        done = await daebus("export", "typescript", "--service", "shop", "-o", str(folder), redis_url=daebus_redis_url)
    assert done.code == 2
    assert "'../evil.ts', which is refused" in done.errors
    assert not (tmp_path / "evil.ts").exists()


async def test_an_answer_without_the_contracts_is_one_clear_error(daebus_redis_url: str) -> None:
    async with lying(daebus_redis_url, {}):
        with pytest.raises(TargetError, match="service://shop is no file of contracts"):
            await asyncio.to_thread(read_contracts, "service://shop", None, daebus_redis_url)
