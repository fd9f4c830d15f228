"""What came over the wire is shown on a terminal, and never steers it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from tests.support import raw_redis, until

from daebus import Daebus, Logger
from daebus.cli import main
from daebus.errors import NotFound
from daebus.mistakes.terminal import visible, visible_json
from daebus.telemetry.logs import configure_logging, make_logger
from daebus.testing import private_redis_url, running

TITLE = "\x1b]0;pwned\x07"
"""It would change the title of the terminal's window."""
HOSTILE = f"{TITLE}\x9b2J\x7f\u202egnp.exe\u2066\u2028\r\nERROR forged"
STEERING = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u061c\u200e\u200f\u202e\u2066\u2028"} - {
    "\n",
    "\t",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steers(text: str) -> set[str]:
    return STEERING & set(text)


def test_what_steers_a_terminal_is_written_out() -> None:
    assert visible(HOSTILE) == (r"\x1b]0;pwned\x07\x9b2J\x7f\u202egnp.exe\u2066\u2028\r\nERROR forged")
    assert visible(f"a\tb\n{TITLE}", lines=True) == "a\tb\n\\x1b]0;pwned\\x07"
    assert visible("Ä 日本 👩‍👩‍👧 שלום") == "Ä 日本 👩‍👩‍👧 שלום"


def test_json_stays_the_same_json() -> None:
    for value in (HOSTILE, {HOSTILE: [HOSTILE]}, "Ä 日本"):
        shown = visible_json(json.dumps(value, ensure_ascii=False).encode())
        assert not steers(shown.decode())
        assert json.loads(shown) == value
    assert visible_json('"Ä"'.encode()) == '"Ä"'.encode()


@pytest.mark.parametrize("colour", [True, False])
def test_lines_of_the_log(monkeypatch: pytest.MonkeyPatch, colour: bool) -> None:
    if colour:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    configure_logging(service="users", instance="i1", stream=stream)
    make_logger().warning(HOSTILE, request_id=HOSTILE, details={"name": HOSTILE}, **{HOSTILE: 1})
    logging.getLogger("redis").warning("lost %s", HOSTILE)
    assert not [line for line in stream.getvalue().splitlines() if line.startswith("ERROR forged")]
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        make_logger().exception("failed", reason=HOSTILE)
    text = stream.getvalue()
    assert steers(text) == ({"\x1b"} if colour else set())
    assert "\x1b]" not in text
    assert r"\x1b]0;pwned" in text


def test_lines_of_json_too() -> None:
    stream = io.StringIO()
    configure_logging(service="users", instance="i1", stream=stream)
    make_logger().warning("odd", request_id=HOSTILE)
    assert not steers(stream.getvalue())
    assert json.loads(stream.getvalue())["request_id"] == HOSTILE


@pytest.mark.usefixtures("daebus_redis_url")
async def test_a_request_id_from_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, stream = Daebus("shop"), Terminal()

    @app.action("work")
    async def work(number: int, *, logger: Logger) -> None:
        logger.info("at work")
        raise NotFound(HOSTILE)

    monkeypatch.setattr(sys, "stderr", stream)
    async with running(app), raw_redis(private_redis_url()) as redis:
        request = {"action": "work", "payload": 1, "request_id": TITLE, "trace_id": TITLE, "service": "shop"}
        await redis.xadd("daebus:{shop}:action:work", {"request": json.dumps(request)})
        await until(lambda: redis.exists("daebus:{shop}:dead"))
    text = stream.getvalue()
    assert not steers(text)
    assert r"request_id=\x1b]0;pwned\x07" in text


@pytest.fixture
def redis(daebus_redis_url: str) -> Iterator[Any]:
    with cast("Any", Redis).from_url(daebus_redis_url) as client:
        yield client


def command(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments)
    assert not steers(result.stdout + result.stderr)
    return result


def test_dead_letters(redis: Any) -> None:
    common = {"service": HOSTILE, "code": HOSTILE, "error": HOSTILE, "deliveries": 6, "sent": 1, "instance": HOSTILE}
    request = json.dumps({"action": "work", "payload": {"a": HOSTILE}}, ensure_ascii=False)
    redis.xadd("daebus:{shop}:dead", {**common, "action": HOSTILE, "request_id": HOSTILE, "request": request}, "1-0")
    redis.xadd(
        "daebus:{shop}:dead", {**common, "action": "work", "request_id": "r", "request": b"\xff" + TITLE.encode()}
    )
    assert json.loads(command("dead", "list", "shop", "--json").stdout.splitlines()[0])["error"] == HOSTILE
    command("dead", "list", "shop")
    assert json.loads(command("dead", "show", "shop", "1-0", "--json").stdout)["payload"] == {"a": HOSTILE}
    command("dead", "show", "shop", "1-0")
    assert command("dead", "show", "shop", HOSTILE).exit_code == 1
    for change in ("replay", "drop"):
        command("dead", change, "shop", "--all")


@pytest.mark.usefixtures("daebus_redis_url")
def test_warnings_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = logging.lastResort
    assert handler is not None
    monkeypatch.setattr(handler, "formatter", None)
    assert command("dead", "list", "nobody").exit_code == 1
    assert not steers(handler.format(logging.makeLogRecord({"msg": HOSTILE})))


def test_what_is_said_of_a_request(redis: Any) -> None:
    seconds, _ = redis.time()
    actions = json.dumps([HOSTILE], separators=(",", ":"))
    redis.zadd("daebus:{shop}:serving", {"": seconds * 1000, actions: seconds * 1000})
    sent = command("send", "shop", "work", "1")
    assert r"it has: \x1b]0;pwned" in sent.stderr
    assert json.loads(command("call", "shop", "work", "1", "--timeout", "1").stderr)["details"]["actions"] == [HOSTILE]


@pytest.mark.usefixtures("daebus_redis_url")
async def test_replies_errors_and_events() -> None:
    app = Daebus("shop")

    @app.action("say")
    async def say() -> str:
        return HOSTILE

    @app.action("refuse")
    async def refuse() -> None:
        raise NotFound(HOSTILE)

    async with running(app) as service:
        said = await asyncio.to_thread(command, "call", "shop", "say")
        assert json.loads(said.stdout) == HOSTILE
        refused = await asyncio.to_thread(command, "call", "shop", "refuse")
        assert json.loads(refused.stderr)["message"] == HOSTILE
        listening = asyncio.create_task(asyncio.to_thread(command, "listen", "news", "--count", "2"))
        async with raw_redis(private_redis_url()) as redis:
            await until(lambda: _heard(redis, "news"))
            await redis.publish("news", json.dumps(HOSTILE, ensure_ascii=False))
            await redis.publish("news", TITLE)
        first, second = (await listening).stdout.splitlines()
        assert (json.loads(first), json.loads(second)) == (HOSTILE, TITLE)
        assert service.bus


async def _heard(redis: Any, channel: str) -> bool:
    return bool(dict(await redis.pubsub_numsub(channel))[channel.encode()])
