"""The command line: real processes on a real server; click's own testing only for wrong usage."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.processes import DAEBUS, Service, daebus, launched
from tests.support import raw_redis

from daebus import Bus, Channel
from daebus.cli import main
from daebus.testing import private_redis_url

SERVICE = """
import asyncio
from collections.abc import AsyncIterator
from daebus import Channel, Context, Daebus
from daebus.errors import NotFound

def make_app() -> Daebus:
    app = Daebus("shell")

    @app.action("echo")
    async def echo(data: dict[str, float]) -> dict[str, float]:
        return data

    @app.action("nothing")
    async def nothing() -> None:
        print("nothing done", flush=True)

    @app.action("count")
    async def count(limit: int) -> AsyncIterator[int]:
        for number in range(limit):
            yield number

    @app.action("fail")
    async def fail() -> None:
        raise NotFound("No such user", details={"user": "u1"})

    @app.action("look")
    async def look(context: Context) -> dict[str, str]:
        return dict(context.headers)

    @app.action("late")
    async def late() -> None:
        await asyncio.sleep(60)

    @app.listen("plain_events")
    async def on_plain(event: list[int]) -> None:
        print("plain", event, flush=True)

    @app.listen(Channel[list[int]]("kept_events", durable=True))
    async def on_kept(event: list[int]) -> None:
        print("kept", event, flush=True)

    return app
"""


@pytest.fixture(scope="module")
def redis_url() -> str:
    return private_redis_url()


@pytest.fixture(scope="module")
def service(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service that is made by a function of a module in the current folder."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "shell_service.py").write_text(SERVICE)
    command = (*DAEBUS, "run", "shell_service:make_app")
    with launched(*command, cwd=folder, DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started", service="shell")
        yield service
        assert service.stop() == 0


def has_printed(service: Service, text: str) -> None:
    end = time.monotonic() + 10
    while text not in service.output():
        assert time.monotonic() < end, f"no {text!r} in:\n{service.output()}{service.text()}"
        time.sleep(0.01)


def test_version_and_help_load_no_server(redis_url: str) -> None:
    program = (
        "import sys; from daebus.cli import main\n"
        "for option in ('--version', '--help'): main([option], 'daebus', standalone_mode=False)\n"
        "print(sorted({'litestar', 'granian', 'watchfiles', 'uvicorn', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("daebus 1.")
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 : -1]] == [
        "call",
        "check",
        "console",
        "dead",
        "export",
        "health",
        "listen",
        "listeners",
        "lsp",
        "mcp",
        "new",
        "publish",
        "rooms",
        "run",
        "schedules",
        "send",
        "services",
        "top",
    ]
    assert lines[-1] == "[]"


@pytest.mark.usefixtures("service")
async def test_call(redis_url: str) -> None:
    echoed, streamed, nothing = await asyncio.gather(
        daebus("call", "shell", "echo", "-", redis_url=redis_url, stdin=b'{"e":\n 2.72}'),
        daebus("call", "shell", "count", "3", redis_url=redis_url),
        daebus("call", "shell", "nothing", redis_url=redis_url),
    )
    assert (echoed.output, echoed.errors, echoed.code) == ('{"e":2.72}\n', "", 0)
    assert (streamed.output, streamed.code) == ("0\n1\n2\n", 0)
    assert (nothing.output, nothing.code) == ("null\n", 0)


@pytest.mark.usefixtures("service")
async def test_call_with_headers(redis_url: str) -> None:
    looked = await daebus(
        "call", "shell", "look", "--header", "X-Tenant=a=b", "--header", "empty=", redis_url=redis_url
    )
    assert msgspec.json.decode(looked.output) == {"x-tenant": "a=b", "empty": ""}


@pytest.mark.usefixtures("service")
async def test_failed_call(redis_url: str) -> None:
    failed, late, unknown = await asyncio.gather(
        daebus("call", "shell", "fail", redis_url=redis_url),
        daebus("call", "shell", "late", "--timeout", "0.2", redis_url=redis_url),
        daebus("call", "shall", "echo", redis_url=redis_url),
    )
    assert [(outcome.code, outcome.output) for outcome in (failed, late, unknown)] == [(1, "")] * 3
    assert failed.errors == '{"code":"not_found","message":"No such user","details":{"user":"u1"}}\n'
    assert msgspec.json.decode(late.errors)["code"] == "timeout"
    assert msgspec.json.decode(unknown.errors)["code"] == "no_such_service"


@pytest.mark.usefixtures("service")
async def test_a_call_without_the_payload_that_is_needed_says_how_to_give_it(redis_url: str) -> None:
    missing, null = await asyncio.gather(
        daebus("call", "shell", "echo", redis_url=redis_url),
        daebus("call", "shell", "echo", "null", redis_url=redis_url),
    )
    told, plain = (msgspec.json.decode(outcome.errors) for outcome in (missing, null))
    assert plain["message"] == "Invalid value at `$`: expected `object`, got `null`"
    hint = "'echo' takes a payload, and none is given: write it as JSON, the third argument. "
    assert told == {**plain, "message": hint + plain["message"]}


async def test_send_and_publish(service: Service, redis_url: str) -> None:
    outcomes = await asyncio.gather(
        daebus("send", "shell", "nothing", redis_url=redis_url),
        daebus("publish", "plain_events", "[1]", redis_url=redis_url),
        daebus("publish", "kept_events", "-", "--durable", redis_url=redis_url, stdin=b"[2]"),
    )
    assert [(outcome.code, outcome.output, outcome.errors) for outcome in outcomes] == [(0, "", "")] * 3
    for text in ("nothing done", "plain [1]", "kept [2]"):
        has_printed(service, text)


@pytest.mark.usefixtures("service")
async def test_what_reaches_nobody_is_told(redis_url: str) -> None:
    misspelt, nobody, unheard, kept = await asyncio.gather(
        daebus("send", "shell", "nothin", redis_url=redis_url),
        daebus("send", "shall", "nothing", redis_url=redis_url),
        daebus("publish", "plain_event", "[1]", redis_url=redis_url),
        daebus("publish", "kept_events", "[1]", redis_url=redis_url),
    )
    assert [(outcome.code, outcome.output) for outcome in (misspelt, nobody, unheard, kept)] == [(0, "")] * 4
    assert "has no action 'nothin'; did you mean 'nothing'?" in misspelt.errors
    assert "No instance has served 'shall'" in nobody.errors
    assert unheard.errors == "No listener is connected to 'plain_event' now, so the event is lost.\n"
    assert kept.errors.endswith("add --durable.\n")


@pytest.mark.usefixtures("service")
async def test_publishing_to_a_durable_channel_with_a_wrong_name_or_the_name_of_a_service(redis_url: str) -> None:
    async with Bus(redis_url) as bus:
        await bus.publish(Channel[str]("shell", durable=True), "event")
    misspelt, plain = await asyncio.gather(
        daebus("publish", "kept_event", "[1]", "--durable", redis_url=redis_url),
        daebus("publish", "shell", "[1]", redis_url=redis_url),
    )
    assert misspelt.errors == "No service has ever listened to 'kept_event': the event is kept for future listeners.\n"
    assert plain.errors.endswith("add --durable.\n")


async def test_publishing_a_durable_event_to_who_listens_to_the_plain_channel(redis_url: str) -> None:
    async with raw_redis(redis_url) as redis, redis.pubsub() as one, redis.pubsub() as other:
        await one.subscribe("heard_plainly")
        first = await daebus("publish", "heard_plainly", "[1]", "--durable", redis_url=redis_url)
        await other.subscribe("heard_plainly")
        second = await daebus("publish", "heard_plainly", "[1]", "--durable", redis_url=redis_url)
    assert (first.code, second.code) == (0, 0)
    assert first.errors.startswith(
        "1 subscriber listens to 'heard_plainly' as a plain channel, and did not get the event:"
    )
    assert second.errors.startswith(
        "2 subscribers listen to 'heard_plainly' as a plain channel, and did not get the event:"
    )
    assert "No service has ever listened to it as a durable one" in second.errors


async def test_listening_to_a_durable_channel_as_if_it_were_plain(redis_url: str) -> None:
    async with Bus(redis_url) as bus:
        await bus.publish(Channel[str]("heard_wrongly", durable=True), "event")
    with launched(*DAEBUS, "listen", "heard_wrongly", DAEBUS_REDIS_URL=redis_url) as listener:
        listener.wait_for("Listening to heard_wrongly")
        assert "'heard_wrongly' is a durable channel" in listener.text()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is a project of its own, whatever lies above it."""
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


async def test_service_of_another_project(project: Path) -> None:
    listen, call = (*DAEBUS, "listen", "anything"), (*DAEBUS, "call", "shell", "echo")
    with launched(*listen, cwd=project, DAEBUS_EMBEDDED="1") as listener:
        listener.wait_for("Listening to anything")
        with launched(*call, cwd=project, DAEBUS_EMBEDDED="1") as asking:
            assert asking.process.wait(60) == 1
            said = asking.text()
        assert listener.stop(signal.SIGINT) == 0
        assert f"This is the embedded engine of {project}, and each project has its own." in said


@pytest.mark.parametrize(
    "command",
    [
        ["call", "shell", "echo"],
        ["send", "shell", "echo"],
        ["publish", "channel", "1"],
        ["publish", "channel", "1", "--durable"],
        ["listen", "channel"],
        ["dead", "list", "shell"],
    ],
)
def test_in_a_folder_without_a_project_nothing_is_started_or_written(tmp_path: Path, command: list[str]) -> None:
    with launched(*DAEBUS, *command, cwd=tmp_path, DAEBUS_EMBEDDED="1") as asking:
        assert asking.process.wait(60) == 2
        (line,) = asking.text().splitlines()
    assert f"{tmp_path} is not in a project" in line
    assert "DAEBUS_REDIS_URL" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["call", "shell", "echo"], ["publish", "channel", "1"], ["dead", "list", "shell"]])
def test_where_no_service_of_the_project_runs_no_engine_is_started_to_ask(project: Path, command: list[str]) -> None:
    with launched(*DAEBUS, *command, cwd=project, DAEBUS_EMBEDDED="1") as asking:
        assert asking.process.wait(60) == 1
        (line,) = asking.text().splitlines()
    assert f"The embedded engine of {project} does not run" in line
    assert [file.name for file in project.iterdir()] == ["pyproject.toml"]


def test_what_is_kept_is_kept_by_an_engine_that_is_started_for_it(project: Path) -> None:
    commands = ["send", "shell", "echo"], ["publish", "channel", "1", "--durable"], ["dead", "list", "shell"]
    for command in commands:
        with launched(*DAEBUS, *command, cwd=project, DAEBUS_EMBEDDED="1") as telling:
            assert telling.process.wait(60) == 0, telling.text()
    assert (project / ".daebus").is_dir()


async def test_publish_makes_no_kept_event_too_old(redis_url: str) -> None:
    async with raw_redis(redis_url) as redis:
        stream = "daebus:channel:{archive}"
        await redis.xadd(stream, {"event": "1"}, id="1-1")
        assert (await daebus("publish", "archive", "2", "--durable", redis_url=redis_url)).code == 0
        assert [fields[b"event"] for _, fields in await redis.xrange(stream)] == [b"1", b"2"]


async def test_listen(redis_url: str) -> None:
    command = (*DAEBUS, "listen", "looked_on", "--count=2")
    with launched(*command, DAEBUS_REDIS_URL=redis_url) as listener:
        listener.wait_for("Listening to looked_on")
        async with raw_redis(redis_url) as redis:
            assert await redis.publish("looked_on", '{"a": 1.50,\n "b": [1, 2]}') == 1
            assert await redis.publish("looked_on", "no json") == 1
        assert listener.process.wait(60) == 0
        assert listener.output() == '{"a":1.50,"b":[1,2]}\n"no json"\n'


async def test_listen_to_a_durable_channel_until_interrupted(redis_url: str) -> None:
    events = Channel[str]("looked_on", durable=True)
    async with Bus(redis_url) as bus:
        await bus.publish(events, "before")
        with launched(*DAEBUS, "listen", "looked_on", "--durable", DAEBUS_REDIS_URL=redis_url) as listener:
            listener.wait_for("Listening to looked_on")
            await bus.publish(events, "first")
            await bus.publish(events, "second")
            has_printed(listener, '"second"\n')
            assert listener.stop(signal.SIGINT) == 0
            assert listener.output() == '"first"\n"second"\n'
            assert listener.text() == "Listening to looked_on\n"


async def test_server_is_not_reachable_or_not_named() -> None:
    unreachable, misnamed = await asyncio.gather(
        daebus("call", "shell", "echo", redis_url="redis://127.0.0.1:1"),
        daebus("publish", "news", "1", "--redis-url", "http://x", redis_url=""),
    )
    assert unreachable.code == 1
    assert unreachable.errors.startswith("Error: The server at redis://127.0.0.1:1/0 is not reachable")
    assert misnamed.code == 2
    assert misnamed.errors.startswith("Error: The Redis URL http://x does not start with")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["call", "shell", "echo", '{"a": u1}'], '{"a": u1} is not JSON: Expecting value: line 1 column 7 (char 6)'),
        (["call", "shell", "echo", "u1"], "Write a string with double quotes inside single quotes: '\"text\"'"),
        (["call", "shell", "echo", "[NaN]"], "invalid character (byte 1)"),
        (["send", "shell", "echo", ""], "is not JSON"),
        (["publish", "news", "["], "is not JSON"),
        (["publish", "news"], "Missing argument 'JSON'"),
        (["call", "shell"], "Missing argument 'ACTION'"),
        (["call", "shell", "echo", "--timeout", "-1"], "--timeout"),
        (["listen", "news", "--count", "0"], "--count"),
        (["run"], "Missing argument 'TARGET'"),
        (["run", "x:app", "--workers", "2", "--reload"], "--reload is for development, with one process"),
        (["run", "x:app", "--workers", "0"], "--workers"),
        (["run", "x:app", "--port", "65536"], "--port"),
        (["check", "no_such_module_here"], "There is no module 'no_such_module_here'"),
        (["rum"], "No such command 'rum'"),
        (["call", "a", "b", "--header", "x-tenant"], "the header 'x-tenant' is not written as NAME=VALUE"),
        (["send", "a", "b", "--header", "x tenant=a"], "'x tenant' is not a valid name of a header"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


async def test_check(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(SERVICE)
    (tmp_path / "bad.py").write_text(
        "from daebus import Daebus, DaebusHttp\napp = Daebus('bad')\napp.attach(DaebusHttp())\n"
        "@app.action('x')\nasync def x(a, *, repo: int) -> int: ...\n"
    )
    good, bad = await asyncio.gather(
        daebus("check", f"{tmp_path}/good.py:make_app", "--service=checked", redis_url="redis://127.0.0.1:1"),
        daebus("check", f"{tmp_path}/bad.py", redis_url="redis://127.0.0.1:1"),
    )
    lines = good.output.splitlines()
    assert (good.code, good.errors, lines[0]) == (0, "", "ok: checked, 8 handlers")
    assert [line.split() for line in lines[1:4:2]] == [
        ["action", "echo", "(data:", "dict[str,", "float])", "->", "dict[str,", "float]"],
        ["action", "count", "(limit:", "int)", "->", "stream", "of", "int"],
    ]
    assert (bad.code, bad.output) == (1, "")
    assert bad.errors.startswith("Error: 2 wiring mistakes:\n")


def test_reload(project: Path, redis_url: str) -> None:
    file = project / "reloaded.py"
    text = (
        "from daebus import Daebus\napp = Daebus('reloaded')\n"
        "@app.on_start()\nasync def start() -> None: ...\nprint('version 1', flush=True)\n"
    )
    file.write_text(text)
    with launched(*DAEBUS, "run", "reloaded.py", "--reload", cwd=project, DAEBUS_REDIS_URL=redis_url) as service:
        service.wait_for("service started", service="reloaded")
        file.write_text(text.replace("1", "two"))
        has_printed(service, "version two")
        file.write_text(text + "def f(:\n")
        assert service.wait_for("the service ended, waiting for a change")["how"] == "exit code 1"
        assert "SyntaxError: invalid syntax" in service.text()
        file.write_text(text.replace("1", "three"))
        has_printed(service, "version three")
        assert service.stop() == 0
        assert len(service.lines("service stopping")) >= len(service.lines("service started")) - 1
        assert len(service.lines("files changed, restarting", files=["reloaded.py"])) == 3
