"""The short form of ``nox -s fuzz``: some hundred hostile inputs for each transport of a real process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.hostile.__main__ import ATTACKS, attack


@pytest.mark.parametrize("transport", ATTACKS)
async def test_hostile_inputs_cost_nobody_else_an_answer(transport: str, tmp_path: Path) -> None:
    (tally,) = await attack([transport], 400, seed=1, log=tmp_path / "log")
    assert (tally.inputs, tally.crashes, tally.hangs, tally.leaks, tally.internal) == (400, 0, 0, 0, 0)
    log = (tmp_path / f"log.{transport}").read_text()
    assert "Traceback" not in log
    assert "never retrieved" not in log
