"""The files in deploy/ agree with each other, and with the services that they deploy."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from daebus import Daebus
from daebus.interceptors.vitals import METRICS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
PORTS = {"http": 8080, "health": 9000, "metrics": 9464}


def documents(path: Path) -> list[Any]:
    """The documents of a YAML file."""
    return [msgspec.yaml.decode(text) for text in re.split(r"^---$", path.read_text(), flags=re.MULTILINE)]


def manifests(kind: str) -> dict[str, Any]:
    """The Kubernetes objects of a kind, by name."""
    found = [one for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for one in documents(path)]
    return {one["metadata"]["name"]: one for one in found if one.get("kind") == kind}


def pods() -> Iterator[tuple[str, Any, Any]]:
    """The name of each deployed service, its pod and its container."""
    for name, deployment in manifests("Deployment").items():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield name, pod, container


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module with the deployed apps."""
    monkeypatch.setattr(sys, "path", [str(DEPLOY / "orders"), str(ROOT / "examples" / "orders"), *sys.path])
    before = set(sys.modules)
    yield importlib.import_module("services")
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("services", "shop", "warehouse"):
            del sys.modules[name]


def test_each_service_is_deployed_by_compose_and_kubernetes(services: ModuleType) -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    apps = {name for name, one in vars(services).items() if isinstance(one, Daebus)}
    in_compose = {name: one["command"] for name, one in compose["services"].items() if one.get("image") == "orders"}
    assert in_compose == {name: [f"services:{name}"] for name in apps}
    assert {name: container["args"] for name, _, container in pods()} == in_compose
    assert manifests("PodDisruptionBudget").keys() == manifests("HorizontalPodAutoscaler").keys() == apps


def test_there_is_time_to_stop(services: ModuleType) -> None:
    needed = services.settings.drain_delay + services.settings.stop_timeout + 5
    (compose,) = documents(DEPLOY / "compose.yaml")
    unit = (DEPLOY / "systemd" / "daebus@.service").read_text()
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]) >= needed
    for name, pod, _ in pods():
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) >= needed
        assert pod["terminationGracePeriodSeconds"] >= needed


def test_ports_are_those_that_the_services_listen_on() -> None:
    for name, _, container in pods():
        named = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert named == (PORTS if name == "shop" else {key: PORTS[key] for key in ("health", "metrics")})
        for probe, path in (("startup", "ready"), ("liveness", "live"), ("readiness", "ready")):
            assert container[f"{probe}Probe"]["httpGet"] == {"path": f"/health/{path}", "port": "health"}
    assert re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE) == [" ".join(map(str, PORTS.values()))]
    assert f"DAEBUS_HEALTH_PORT={PORTS['health']}" in DOCKERFILE
    assert f"127.0.0.1:{PORTS['health']}/health/ready" in DOCKERFILE
    (prometheus,) = documents(DEPLOY / "prometheus" / "compose.yml")
    assert {one["dns_sd_configs"][0]["port"] for one in prometheus["scrape_configs"]} == {PORTS["metrics"]}


def test_containers_cannot_become_root_or_write() -> None:
    assert re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE) == [("10001", "10001")]
    for _, pod, container in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
    (compose,) = documents(DEPLOY / "compose.yaml")
    assert all(one["read_only"] for one in compose["services"].values() if one.get("image") == "orders")


def test_variables_are_known_to_daebus() -> None:
    known = set[str]()
    for path in (ROOT / "src" / "daebus").rglob("*.py"):
        known.update(re.findall(r"DAEBUS_[A-Z_]+", path.read_text()))
    given = set[str]()
    for path in (one for one in DEPLOY.rglob("*") if one.is_file() and one.suffix not in (".json", ".pyc")):
        given.update(re.findall(r"DAEBUS_[A-Z_]+", path.read_text()))
    assert given - known == {"DAEBUS_TARGET"}  # which the unit of systemd reads itself


def test_the_autoscalers_follow_the_age_of_their_queues() -> None:
    (adapter,) = documents(DEPLOY / "kubernetes" / "prometheus-adapter.yaml")
    (rule,) = adapter["rules"]["external"]
    age = METRICS["daebus.queue.age"]
    assert rule["seriesQuery"] == rule["name"]["matches"] == f"{age.name.replace('.', '_')}_seconds"
    for name, scaler in manifests("HorizontalPodAutoscaler").items():
        (metric,) = (one["external"]["metric"] for one in scaler["spec"]["metrics"] if one["type"] == "External")
        assert metric["name"] == rule["seriesQuery"]
        assert metric["selector"]["matchLabels"] == {"daebus_service": name}
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
