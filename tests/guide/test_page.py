"""docs/guide.md shows pieces of a program that runs."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "guide.md").read_text()
PROGRAMS = (
    "payments.py",
    "test_payments.py",
    "shop.py",
    "files.py",
    "doors.py",
    "tools.py",
    "transfers.py",
    "storefront.py",
    "auctions.py",
    "around.py",
    "retries.py",
    "passing.py",
    "members.py",
    "schemes.py",
    "backends.py",
    "metrics.py",
    "stock.py",
    "fences.py",
)
PROGRAM = "".join((HERE / name).read_text() for name in PROGRAMS)


def test_the_page_shows_what_is_tested() -> None:
    pieces = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(pieces) > 5
    for piece in pieces:
        assert piece in PROGRAM


def test_the_typescript_of_the_page_is_tested() -> None:
    pieces = re.findall(r"^```ts\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    program = (HERE.parent / "clients" / "guide.ts").read_text()
    assert len(pieces) == 3
    for piece in pieces:
        assert piece in program
