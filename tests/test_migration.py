"""docs/migration.md shows programs that the tests run, and docs/protocol.md the request that was recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.legacy import frames

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("age", ["old", "new"])
def test_the_page_shows_the_service_that_is_tested(age: str) -> None:
    page = (ROOT / "docs" / "migration.md").read_text()
    (shown,) = re.findall(rf"^```python {age}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert shown == (ROOT / "tests" / "legacy" / f"{age}_service.py").read_text()


def test_the_protocol_shows_the_recorded_request() -> None:
    assert f"```json old-request\n{frames.REQUEST}\n```" in (ROOT / "docs" / "protocol.md").read_text()
