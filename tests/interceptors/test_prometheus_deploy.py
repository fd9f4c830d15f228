"""The dashboard and the alert rules in deploy/ ask for metrics and labels that there are."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support import until

from daebus import Channel, Daebus, DaebusHttp, DaebusWebSocket, StreamAction
from daebus.interceptors.prometheus import PrometheusMetrics
from daebus.interceptors.vitals import METRICS
from daebus.testing import running

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "daebus.json"

COUNT = StreamAction[int, int]("count", service="shop")
ORDERS = Channel[str]("orders", durable=True)
DURATIONS = (
    *("rpc_server_call", "rpc_client_call", "messaging_process", "messaging_client_operation", "http_server_request"),
    *("daebus_socket_message", "daebus_task"),
)
ALL = {
    *(f"{name}_duration_seconds_bucket" for name in DURATIONS),
    "daebus_task_delay_seconds_bucket",
    *(
        f"{metric.name.replace('.', '_')}{'_seconds' * bool(metric.unit)}{'_total' * (metric.kind == 'counter')}"
        for metric in METRICS.values()
    ),
}
OF_PROMETHEUS = {"job", "instance", "le"}

_METRIC = re.compile(r"\b((?:rpc|messaging|http|daebus|process)_[a-z_]+)(\{[^}]*\})?")
_BY = re.compile(r"\b(?:by|ignoring|on) \(([^)]*)\)")


def rules() -> list[str]:
    """The expressions of the alert rules."""
    text = RULES.read_text()
    blocks = re.findall(r"^ +expr: \|\n((?: {10,}.*\n)+)", text, re.MULTILINE)
    return [*re.findall(r"^ +expr: ([^|\n].*)$", text, re.MULTILINE), *blocks]


def panels() -> list[str]:
    """The queries of the dashboard, with values in the place of its variables."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [expression.replace("$__rate_interval", "5m").replace("$job", ".*") for expression in found]


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that are asked of it, or by which it is grouped."""
    grouped = {label for group in _BY.findall(expression) for label in re.findall(r"\w+", group)}
    for metric, matchers in _METRIC.findall(re.sub(r"\b(?:by|ignoring|on|group_left) \([^)]*\)", "", expression)):
        yield metric, grouped | set(re.findall(r"(\w+) *[=!]", matchers))


async def known_metrics() -> Mapping[str, Collection[str]]:
    """The metrics of a service that has all of them, with their labels."""
    metrics = PrometheusMetrics()
    app = Daebus("shop", interceptors=[metrics])
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())
    app.background("tidy", 0.02)(_tidy)

    @app.action(COUNT)
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number if number < 2 else 1 // 0

    @app.listen(ORDERS, retries=0)
    async def on_order(_: str) -> None:
        raise ValueError

    @app.route("/orders")
    async def orders() -> str:
        return "none"

    @app.socket("hello")
    async def hello() -> str:
        raise ValueError

    async with running(app) as service, service.socket() as socket:
        assert [number async for number in service.bus.stream(COUNT, 2)] == [0, 1]
        with pytest.raises(Exception, match="failed"):
            assert [number async for number in service.bus.stream(COUNT, 3)]
        await service.bus.publish(ORDERS, "an order")
        assert (await service.http.get("/orders")).text == "none"
        await socket.ask("hello")
        found: dict[str, set[str]] = {}

        async def is_whole() -> bool:
            text, _ = await asyncio.to_thread(metrics.exposition)
            found.update(_labels(text.decode()))
            return found.keys() >= ALL

        await until(is_whole, pause=0.1)
    return found


async def _tidy() -> None: ...


def _labels(text: str) -> Mapping[str, set[str]]:
    labels = defaultdict[str, set[str]](set)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels[sample.name] |= sample.labels.keys()
    return labels


async def test_what_is_asked_for_is_there_and_documented() -> None:
    known = await known_metrics()
    for expressions in (rules(), panels()):
        asked = [pair for expression in expressions for pair in used(expression)]
        assert len(asked) >= 9
        wrong = [
            f"{metric} {sorted(labels)}"
            for metric, labels in asked
            if metric not in known or not labels <= {*known[metric], *OF_PROMETHEUS}
        ]
        assert wrong == []
    page = (DEPLOY.parent / "docs" / "telemetry.md").read_text()
    own = {name for name in known if name.startswith("daebus_") and not name.endswith(("_bucket", "_sum", "_created"))}
    assert [name for name in sorted(own) if name.removesuffix("_count") not in page] == []


def test_the_dashboard_is_as_grafana_stores_it() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["targets"] for panel in dashboard["panels"] if panel["type"] != "row")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
@pytest.mark.parametrize(
    "command", ["check rules alerts.yml", "test rules alerts.test.yml", "check config example.yml"]
)
def test_prometheus_takes_the_files(command: str) -> None:
    done = subprocess.run(["promtool", *command.split()], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(panels())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
