"""On which address a service listens, and what its log says of who can reach it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import httpx
import pytest
from tests.processes import DAEBUS, Service, launched

from daebus import DaebusHttp, DaebusWebSocket
from daebus.embedded import deployment
from daebus.embedded.deployment import is_isolated
from daebus.server.reach import describe_reach
from daebus.testing import private_redis_url

SERVICE = """
from daebus import Daebus, DaebusHttp, DaebusWebSocket

plain, named, apart = Daebus("plain"), Daebus("named"), Daebus("apart")
plain.attach(DaebusHttp(port=0))
named.attach(DaebusHttp(port=0, host="127.0.0.2"))
apart.attach(DaebusWebSocket(port=0))

@plain.route("/ping")
@named.route("/ping")
async def ping() -> str:
    return "pong"

@apart.socket("echo")
async def echo(data: int) -> int:
    return data

if __name__ == "__main__":
    plain.run(host="127.0.0.4")
"""


@pytest.fixture
def redis_url() -> str:
    return private_redis_url()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service.py").write_text(SERVICE)
    return tmp_path


def listens(service: Service, host: str) -> int:
    """It logs that it listens there, and does; returns the port."""
    service.wait_for("service started")
    line = service.wait_for("listening")
    assert line["host"] == host
    port = line["port"]
    assert isinstance(port, int)
    address = f"[{host}]" if ":" in host else host
    assert httpx.get(f"http://{address}:{port}/ping").text.strip('"') == "pong"
    return port


def refuses(host: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((host, port)) != 0


def test_without_a_word_it_is_for_this_machine_alone(folder: Path, redis_url: str) -> None:
    with launched(*DAEBUS, "run", "service.py:plain", cwd=folder, DAEBUS_REDIS_URL=redis_url) as service:
        port = listens(service, "127.0.0.1")
        assert refuses("127.0.0.2", port)
        assert service.wait_for("listening")["reachable_by"] in ("this machine only", "this container only")
        assert service.stop() == 0


def test_so_are_websockets_on_a_port_of_their_own(folder: Path, redis_url: str) -> None:
    assert DaebusWebSocket(port=1).host == DaebusHttp().host == "127.0.0.1"
    with launched(*DAEBUS, "run", "service.py:apart", cwd=folder, DAEBUS_REDIS_URL=redis_url) as service:
        line = service.wait_for("listening", protocol="websocket")
        assert line["host"] == "127.0.0.1"
        port = line["port"]
        assert isinstance(port, int)
        assert refuses("127.0.0.2", port)
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("target", "options", "variable", "host"),
    [
        ("named", [], "", "127.0.0.2"),
        ("named", [], "127.0.0.3", "127.0.0.3"),
        ("named", ["--host", "127.0.0.5"], "127.0.0.3", "127.0.0.5"),
        ("plain", ["--host", "::1"], "", "::1"),
        ("plain", ["--workers", "2"], "::1", "::1"),
    ],
)
def test_the_command_line_goes_before_the_environment_and_that_before_the_code(
    folder: Path, redis_url: str, target: str, options: list[str], variable: str, host: str
) -> None:
    command = (*DAEBUS, "run", f"service.py:{target}", *options)
    with launched(*command, cwd=folder, DAEBUS_REDIS_URL=redis_url, DAEBUS_HOST=variable) as service:
        listens(service, host)
        assert service.stop() == 0


def test_what_run_is_given_goes_before_the_environment(folder: Path, redis_url: str) -> None:
    command = (sys.executable, "service.py")
    with launched(*command, cwd=folder, DAEBUS_REDIS_URL=redis_url, DAEBUS_HOST="127.0.0.3") as service:
        listens(service, "127.0.0.4")
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("host", "reached", "who"),
    [
        ("0.0.0.0", ["127.0.0.1", "127.0.0.9"], "everyone who reaches this host on any of its IPv4 addresses"),
        ("::", ["127.0.0.1", "[::1]"], "everyone who reaches this host on any of its addresses"),
    ],
)
def test_an_open_service_says_who_can_reach_it(
    folder: Path, redis_url: str, host: str, reached: list[str], who: str
) -> None:
    command = (*DAEBUS, "run", "service.py:plain", "--host", host)
    with launched(*command, cwd=folder, DAEBUS_REDIS_URL=redis_url) as service:
        line = service.wait_for("listening")
        assert line["reachable_by"] == who
        for address in reached:
            assert httpx.get(f"http://{address}:{line['port']}/ping").status_code == 200
        assert service.stop() == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_in_a_container_comes_with_a_hint(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(deployment, "_CONTAINER_FILES", ())
    for name in ("container", *deployment.PLATFORMS):
        monkeypatch.delenv(name, raising=False)
    assert describe_reach(address, isolated=is_isolated()) == {"reachable_by": "this machine only"}
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    described = describe_reach(address, isolated=is_isolated())
    assert described["reachable_by"] == "this container only"
    assert "--host 0.0.0.0" in described["hint"]
    assert "DAEBUS_HOST=0.0.0.0" in described["hint"]


def test_an_address_of_the_machine_is_named() -> None:
    assert describe_reach("192.0.2.7", isolated=True) == {"reachable_by": "everyone who reaches this host on 192.0.2.7"}
    assert describe_reach("fe80::1%eth0", isolated=False)["reachable_by"].endswith("on fe80::1%eth0")
