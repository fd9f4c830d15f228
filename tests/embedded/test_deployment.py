"""Where the embedded engine of a project is refused: what a process sees of the place where it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.processes import ran

from daebus.connection.find_server import find_server
from daebus.embedded import deployment
from daebus.embedded.deployment import refuse_surprise
from daebus.errors import ConfigurationError
from daebus.telemetry.logs import make_logger

SIGNS = (
    *("REDIS_URL", "DAEBUS_REDIS_URL", "DAEBUS_EMBEDDED", "container", "JOURNAL_STREAM", "NOTIFY_SOCKET"),
    *("SYSTEMD_EXEC_PID", "INVOCATION_ID", *deployment.PLATFORMS),
)

REFUSE = "from daebus.embedded.deployment import refuse_surprise as refuse; refuse()"

HANDLER = "@app.on_start()\nasync def start() -> None: ...\n"


@pytest.fixture(autouse=True)
def on_a_bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves may run in a container, or as a service."""
    monkeypatch.setattr(deployment, "_CONTAINER_FILES", ())
    for name in SIGNS:
        monkeypatch.delenv(name, raising=False)


def bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SIGNS}


def ends_in(program: str, environment: dict[str, str], *, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A process of its own, which sees no file that tells of a container."""
    unseen = f"from daebus.embedded import deployment; deployment._CONTAINER_FILES = (); {program}"
    command = [sys.executable, "-c", unseen]
    return subprocess.Popen(command, env={**bare(), **environment}, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_it_is_used_on_a_bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOCATION_ID", "of the desktop that has opened the terminal")
    refuse_surprise()


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1", r"in Kubernetes \(KUBERNETES_SERVICE_HOST is set\)"),
        ("DYNO", "web.1", r"on Heroku \(DYNO is set\)"),
        ("container", "podman", r"in a container \(container=podman\)"),
        ("REDIS_URL", "redis://:secret@cache:6379", "REDIS_URL is set, but daebus reads DAEBUS_REDIS_URL"),
    ],
)
def test_it_is_refused_where_services_are_deployed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"{where}.*DAEBUS_REDIS_URL=redis://.*DAEBUS_EMBEDDED=1") as caught:
        refuse_surprise()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("DAEBUS_EMBEDDED", "1")
    refuse_surprise()


def test_it_is_refused_in_a_container_that_docker_has_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".dockerenv"
    monkeypatch.setattr(deployment, "_CONTAINER_FILES", (file,))
    refuse_surprise()
    file.touch()
    with pytest.raises(ConfigurationError, match=rf"in a container \({file} exists\)"):
        refuse_surprise()


def test_a_terminal_of_an_editor_in_flatpak_is_no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("container", "flatpak")
    refuse_surprise()


@pytest.mark.parametrize(("chosen", "said"), [("0", "turns the embedded one off"), ("no", "'no': write 1")])
async def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAEBUS_EMBEDDED", chosen)
    with pytest.raises(ConfigurationError, match=said):
        async with find_server(None, make_logger()):
            pass
    assert not os.listdir(tmp_path)


def test_output_that_goes_to_the_journal_tells_of_systemd() -> None:
    """JOURNAL_STREAM is inherited by all that a service starts: it counts where it names the output itself."""
    read, write = os.pipe()
    journal = os.fstat(write)
    environment = {"JOURNAL_STREAM": f"{journal.st_dev}:{journal.st_ino}", "INVOCATION_ID": "x"}
    try:
        with ends_in(REFUSE, environment, stderr=write) as service:
            assert service.wait(30) == 1
        with ends_in(REFUSE, environment) as child_of_an_editor:
            assert child_of_an_editor.wait(30) == 0, child_of_an_editor.communicate()
    finally:
        os.close(write)
        with os.fdopen(read) as told:
            assert "as a service of systemd (JOURNAL_STREAM is where its output goes)" in told.read()


@pytest.mark.parametrize(
    ("environment", "sign"),
    [({"SYSTEMD_EXEC_PID": str(os.getpid())}, "SYSTEMD_EXEC_PID"), ({"NOTIFY_SOCKET": "/run/x"}, "NOTIFY_SOCKET")],
)
def test_a_service_of_systemd_whose_output_goes_elsewhere(environment: dict[str, str], sign: str) -> None:
    with ends_in(REFUSE, environment) as service:
        _, errors = service.communicate(timeout=30)
    assert f"as a service of systemd ({sign}" in errors


def test_a_terminal_is_no_service_of_systemd() -> None:
    terminal, other = os.openpty()
    try:
        with ends_in(REFUSE, {"NOTIFY_SOCKET": "/run/x", "SYSTEMD_EXEC_PID": str(os.getpid())}, stderr=other) as shell:
            assert shell.wait(30) == 0
    finally:
        os.close(terminal)
        os.close(other)


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "daebus", "run", "service.py"],
        ["-m", "daebus", "run", "service.py", "--workers=2"],
        ["service.py"],
        ["-m", "daebus", "call", "users", "get"],
        ["-m", "daebus", "send", "users", "get"],
    ],
)
def test_one_line_refuses_it_and_nothing_is_written(tmp_path: Path, command: Sequence[str]) -> None:
    source = f"from daebus import Daebus\napp = Daebus('users')\n{HANDLER}if __name__ == '__main__':\n    app.run()\n"
    (tmp_path / "service.py").write_text(source)
    (tmp_path / "pyproject.toml").touch()
    environment = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = ran(sys.executable, *command, cwd=tmp_path, environment=environment)
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: No Redis URL is given, and this runs in Kubernetes")
    assert {file.name for file in tmp_path.iterdir()} == {"service.py", "pyproject.toml"}


def test_another_asgi_server_is_refused_likewise(tmp_path: Path) -> None:
    source = f"from daebus import Daebus\napp = Daebus('users')\n{HANDLER}asgi = app.asgi\n"
    (tmp_path / "service.py").write_text(source)
    command = [sys.executable, "-m", "uvicorn", "service:asgi", "--port=0", f"--app-dir={tmp_path}"]
    ended = ran(*command, cwd=tmp_path, environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert ended.returncode == 3
    assert "No Redis URL is given, and this runs in Kubernetes" in ended.stderr


def test_a_test_has_its_private_engine_everywhere(tmp_path: Path) -> None:
    (tmp_path / "test_service.py").write_text(
        "import asyncio\n"
        "from daebus import Daebus\n"
        "from daebus.testing import running\n"
        "def test_it_runs(daebus_redis_url: str) -> None:\n"
        "    async def run() -> None:\n"
        "        async with running(Daebus('users'), redis_url=daebus_redis_url):\n"
        "            pass\n"
        "        async with running(Daebus('orders')):\n"
        "            pass\n"
        "    asyncio.run(run())\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    for environment in (
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "REDIS_URL": "redis://nowhere"},
        {"DAEBUS_EMBEDDED": "0"},
    ):
        ended = ran(*command, cwd=tmp_path, environment=environment)
        assert ended.returncode == 0, ended.stdout
