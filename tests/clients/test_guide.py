"""The TypeScript of docs/guide.md compiles, and does what the page says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
from tests.clients.conftest import export
from tests.clients.node import PROGRAMS, running
from tests.clients.test_changes import OPTIONS
from tests.guide.auctions import Bid
from tests.processes import serving

from daebus import Action, BlockingBus
from daebus.testing import private_redis_url

TARGET = "tests.clients.guide_app:app"


def test_the_examples_compile_and_run(tmp_path: Path, tsc: list[str]) -> None:
    export(TARGET, tmp_path)
    for file in (PROGRAMS / "lines.ts", PROGRAMS.parent / "guide.ts"):
        shutil.copy(file, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_bytes(msgspec.json.encode({**OPTIONS, "include": ["**/*.ts"]}))
    found = subprocess.run([*tsc, "-p", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.stdout == ""
    redis_url = private_redis_url()
    with serving(TARGET, redis_url=redis_url) as service, running(tmp_path, "guide.ts", service.url) as program:
        shown = program.until([[{"id": "cup", "price": 5}]])
        assert shown == [[5], ["There is no plate"], [5], [4], [4], [1]]
        with BlockingBus(redis_url) as bus:
            bus.call(Action[Bid, None]("bid", service="products"), Bid("7", 500))
        assert program.json() == [500]
