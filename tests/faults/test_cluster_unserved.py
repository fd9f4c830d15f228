"""Requests that wait for an action that nobody serves, where the partitions lie in slots of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from daebus import Action, Bus, Daebus, Settings
from daebus.testing import running

from .clusters import Cluster

WRONG = Action[int, None]("cuont_up", service="shop")
WAITS = "requests wait for an action that no instance has"


def shop() -> Daebus:
    app = Daebus("shop", settings=Settings(partitions=4))

    @app.action("count_up")
    async def count(number: int) -> None: ...

    return app


async def test_what_waits_in_any_partition_is_told_by_who_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = Cluster(tmp_path, with_replicas=False)
    try:
        await cluster.start()
        async with Bus(cluster.url) as bus:
            async with running(shop(), redis_url=cluster.url):
                for number in range(8):  # in turn: two in each partition
                    await bus.send(WRONG, number)
            async with running(shop(), redis_url=cluster.url):
                pass
    finally:
        cluster.kill()
    lines = [cast("dict[str, Any]", one.msg) for one in caplog.records if isinstance(one.msg, dict)]
    (line,) = [line for line in lines if line.get("event") == WAITS]
    assert (line["action"], line["waiting"]) == ("cuont_up", 8)
    assert line["remedy"].count("daebus:{shop") == 4
