"""The client whose tokens expire: it asks for new ones."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import export
from tests.clients.node import PROGRAMS, copy_programs
from tests.clients.test_cases import failed_cases
from tests.clients.test_changes import compile_all
from tests.processes import serving

from daebus.testing import private_redis_url

TARGET = "tests.clients.tokens_app:app"


def test_new_tokens_are_asked_for(tmp_path: Path, tsc: list[str]) -> None:
    export(TARGET, tmp_path)
    copy_programs(tmp_path, PROGRAMS / "lines.ts", PROGRAMS / "checks.ts", PROGRAMS.parent / "tokens.ts")
    assert compile_all(tmp_path, tsc) == ""
    with serving(TARGET, redis_url=private_redis_url()) as service:
        assert failed_cases(tmp_path, "tokens.ts", service.url, least=5) == {}
