"""What the type checkers accept, the run time accepts as well: importing these programs registers their handlers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from daebus import Daebus

PROGRAMS = sorted(path.stem for path in Path(__file__).parent.glob("accepted_*.py"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_wiring_of_an_accepted_program_is_complete(program: str) -> None:
    app = import_module(f"tests.typing.{program}").app
    assert isinstance(app, Daebus)
    assert app.check("tests").service == "tests"
