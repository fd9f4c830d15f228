"""Several workers that share a port: each answers Prometheus for all of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry, Counter
from tests.interceptors.scrapes import samples
from tests.processes import serving
from tests.support import until

from daebus.interceptors.worker_families import decode_families, encode_families, merged
from daebus.testing import private_redis_url

APP = """
import os
from daebus import Daebus, DaebusHttp
from daebus.interceptors.prometheus import PrometheusMetrics

app = Daebus("shop", interceptors=[PrometheusMetrics()])
app.attach(DaebusHttp(port=0))


@app.route("/pid")
async def pid() -> int:
    return os.getpid()
"""


def counted(number: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("sold", "What was sold.", ["what"], registry=registry).labels("pears").inc(number)
    return registry


def test_each_sample_has_its_worker() -> None:
    told = decode_families(encode_families(counted(3).collect()))
    families = list(merged({1: told, 0: counted(2).collect()}))
    assert [family.name for family in families] == ["sold"]
    found = [(sample.labels, sample.value) for sample in families[0].samples if sample.name == "sold_total"]
    assert found == [({"what": "pears", "daebus_worker": "0"}, 2), ({"what": "pears", "daebus_worker": "1"}, 3)]


async def test_any_worker_answers_for_all(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    handled = 0
    with serving("shop:app", "--workers=2", redis_url=private_redis_url(), cwd=tmp_path) as service:
        service.wait_for("starting workers")

        async def ask() -> int:
            """On a connection of its own, which any worker may accept; returns which one it was."""
            nonlocal handled
            async with httpx.AsyncClient() as client:
                pid = int((await client.get(f"{service.url}/pid")).text)
            handled += 1
            return pid

        async def scrape() -> dict[tuple[str, ...], float]:
            async with httpx.AsyncClient() as client:
                text = (await client.get(f"{service.url}/metrics")).text
            found = samples(text, "http_server_request_duration_seconds_count")
            return {labels: count for labels, count in found.items() if "/pid" in labels}

        pids = set[int]()

        async def are_both_there() -> bool:
            pids.add(await ask())
            return len(pids) == 2

        await until(are_both_there)
        for _ in range(4):
            found = await scrape()
            assert {labels[0] for labels in found} == {"0", "1"}
            assert sum(found.values()) == handled

        os.kill(pids.pop(), signal.SIGKILL)
        await until(lambda: service.lines("worker ended, starting another one"))
        assert len(await scrape()) <= 2, "a worker that has ended keeps nobody waiting"
