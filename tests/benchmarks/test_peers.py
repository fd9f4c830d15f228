"""The peers' scripts run elsewhere, where no type checker sees them: what they take from daebus must be there."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

import pytest
from benchmarks.processes import driver

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks" / "peers").glob("*.py"))
PEERS = [path for path in SCRIPTS if path.stem.endswith("_daebus") or path.stem == "bus_floor"]


@pytest.mark.parametrize("path", PEERS, ids=lambda path: path.stem)
def test_what_they_import_is_there(path: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").startswith("daebus")]
    assert ours
    for node in ours:
        module = importlib.import_module(str(node.module))
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


SOMETIMES_LOST = """
import asyncio
import driving

driving._LOST_SECONDS = 0.2
outcomes = [asyncio.Event() for _ in range(3)]

async def lost_now_and_then():
    if outcomes:
        await outcomes.pop().wait()
    await asyncio.sleep(0.01)

async def works():
    await asyncio.sleep(0.01)

asyncio.run(driving.drive({"works": works, "lost": lost_now_and_then}))
"""


def test_an_operation_without_an_outcome_counts_as_failed_and_holds_up_no_later_job(tmp_path: Path) -> None:
    tally, script = tmp_path / "tally", tmp_path / "script.py"
    tally.write_bytes(bytes(8))
    script.write_text(SOMETIMES_LOST)
    env = {"BENCH_TALLY": str(tally), "PYTHONPATH": str(SCRIPTS[0].parent)}

    with driver([sys.executable, script], log=tmp_path / "log", env=env) as bench:
        bench.wait_until_ready()
        lossy = bench.ask({"operation": "lost", "in_flight": 8, "seconds": 0.1})
        later = bench.ask({"operation": "lost", "in_flight": 8, "seconds": 0.1})

    assert lossy["failed"] == 3
    assert lossy["rate"] > 0
    assert later["failed"] == 0
