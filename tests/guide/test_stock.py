"""The guide's service is ready while its database answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import until

from daebus.testing import running

from .stock import app


async def test_the_service_is_ready_while_its_database_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(app) as service:
        assert (await service.http.get("/health/ready")).json() == {"status": "ready"}
        app.container.database().connection.close()

        async def is_unready() -> bool:
            return (await service.http.get("/health/ready")).status_code == 503

        await until(is_unready, pause=0.1)
