from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime

import pytest
import structlog

from daebus.core.context import Context, current_context
from daebus.errors import ConfigurationError
from daebus.telemetry.logs import Logger, configure_logging, make_logger


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("DAEBUS_LOG_LEVEL", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


class Output(io.StringIO):
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def line(self) -> dict[str, object]:
        (line,) = self.lines()
        return line


class Terminal(Output):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def output() -> Output:
    stream = Output()
    configure_logging(service="users", instance="i1", stream=stream)
    return stream


def run(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DAEBUS_")}
    return subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, capture_output=True, text=True, check=True
    )


def test_a_line_has_the_time_level_event_fields_service_and_instance(output: Output) -> None:
    logger = make_logger(service="orders", instance="i2")
    before = datetime.now(UTC)
    logger.info("user created", user_id="u1", tries=2)
    line = output.line()
    written = datetime.fromisoformat(str(line.pop("timestamp")))
    assert written.utcoffset() == UTC.utcoffset(None)
    assert -0.01 < (written - before).total_seconds() < 5
    assert line == {
        "level": "info",
        "event": "user created",
        "user_id": "u1",
        "tries": 2,
        "service": "orders",
        "instance": "i2",
    }


def test_each_method_writes_its_level(output: Output) -> None:
    configure_logging(service="users", instance="i1", level="debug", stream=output)
    logger = make_logger()
    for method in (logger.debug, logger.info, logger.warning, logger.error, logger.critical, logger.exception):
        method("it")
    assert [line["level"] for line in output.lines()] == ["debug", "info", "warning", "error", "critical", "error"]


def test_bind_gives_another_logger_and_leaves_the_first(output: Output) -> None:
    logger = make_logger(a=1)
    bound: Logger = logger.bind(b=2)
    bound.unbind("a").info("third")
    bound.info("second")
    logger.info("first")
    third, second, first = output.lines()
    assert ("a" in third, third["b"]) == (False, 2)
    assert (second["a"], second["b"]) == (1, 2)
    assert (first["a"], "b" in first) == (1, False)


def test_lines_of_a_handler_have_its_context(output: Output) -> None:
    def handler() -> None:
        current_context.set(Context(request_id="r1", service="orders", handler="action get"))
        make_logger(service="users").info("ours")
        logging.getLogger("redis").warning("theirs")

    copy_context().run(handler)
    make_logger().info("outside")
    ours, theirs, outside = output.lines()
    assert (ours["handler"], ours["request_id"], ours["service"]) == ("action get", "r1", "users")
    assert (theirs["handler"], theirs["request_id"], theirs["service"]) == ("action get", "r1", "orders")
    assert (outside["service"], outside["instance"]) == ("users", "i1")
    assert "handler" not in outside


def test_the_standard_library_goes_the_same_way(output: Output) -> None:
    logging.getLogger("redis.client").warning("lost %s of %s", 1, 2, extra={"host": "h", "thing": object()})
    logging.getLogger("redis.client").debug("too low")
    line = output.line()
    assert (line["level"], line["event"], line["logger"]) == ("warning", "lost 1 of 2", "redis.client")
    assert (line["service"], line["instance"], line["host"]) == ("users", "i1", "h")
    assert "object object" in str(line["thing"])


def test_structlog_itself_goes_the_same_way(output: Output) -> None:
    structlog.contextvars.bind_contextvars(tenant="t1")
    try:
        structlog.get_logger("billing").info("paid %s", "all", amount=3)
        make_logger().info("ours")
    finally:
        structlog.contextvars.clear_contextvars()
    theirs, ours = output.lines()
    assert (theirs["event"], theirs["logger"], theirs["amount"]) == ("paid all", "billing", 3)
    assert (theirs["tenant"], ours["tenant"]) == ("t1", "t1")
    with structlog.testing.capture_logs() as captured:
        make_logger().info("captured", n=1)
    assert captured == [{"event": "captured", "n": 1, "log_level": "info"}]


def test_a_configuration_of_structlog_by_the_user_is_left_alone() -> None:
    structlog.configure([structlog.processors.JSONRenderer()])
    before = structlog.get_config()
    configure_logging(service="users", instance="i1", stream=Output())
    assert structlog.get_config() == before


def fail(argument: object) -> None:
    raise ValueError("no such user", argument)


def test_an_exception_is_one_field_of_text(output: Output) -> None:
    caught: list[ValueError] = []
    try:
        fail(1)
    except ValueError as error:
        make_logger().exception("handler failed")
        logging.getLogger("asyncio").exception("their way")
        caught.append(error)
    make_logger().error("later", exc_info=caught[0])
    make_logger().error("none is handled", exc_info=True)
    *with_text, without = output.lines()
    assert len(with_text) == 3
    for line in with_text:
        text = str(line["exception"])
        assert text.startswith("Traceback (most recent call last):")
        assert "in fail" in text
        assert text.endswith("ValueError: ('no such user', 1)")
        assert "exc_info" not in line
    assert "exception" not in without


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("broken repr")


def test_values_that_json_cannot_hold_become_their_repr(output: Output) -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless
    make_logger().info(
        "odd",
        thing=ValueError("x"),
        broken=Unprintable(),
        endless=endless,
        keys={(1, 2): 3, Unprintable(): 4},
        surrogate="\ud800",
        nan=float("nan"),
        huge=10**40,
        ordinary=[1, "ä"],
    )
    line = output.line()
    assert line["thing"] == "ValueError('x')"
    assert line["broken"] == "<Unprintable without repr>"
    assert line["endless"] == "{'self': {...}}"
    assert line["surrogate"] == "'\\ud800'"
    assert line["keys"] == {"(1, 2)": 3, "<Unprintable without repr>": 4}
    assert line["ordinary"] == [1, "ä"]
    assert {"nan", "huge", "event", "service"} <= line.keys()


def test_fields_named_like_those_of_the_line_are_kept_beside_them(output: Output) -> None:
    make_logger().info("tank", level=3, timestamp="never", service="own")
    line = output.line()
    assert (line["level"], line["level_"], line["timestamp_"], line["service"]) == ("info", 3, "never", "own")


def test_positional_arguments_are_formatted_and_a_mistake_in_them_costs_nothing(output: Output) -> None:
    make_logger().info("%s has %d", "ada", 3)
    make_logger().info("%d", "three")
    make_logger().info("no placeholder", 1)
    assert [line["event"] for line in output.lines()] == ["ada has 3", "%d ('three',)", "no placeholder (1,)"]


def test_a_terminal_gets_lines_for_people() -> None:
    stream = Terminal()
    configure_logging(service="users", instance="i1", stream=stream)
    try:
        fail(1)
    except ValueError:
        make_logger().exception("handler failed", user="u 1")
    logging.getLogger("litestar").info("started")
    first, *traceback, last = stream.getvalue().splitlines()
    assert "[error    ] handler failed" in first
    assert first.endswith("user='u 1' service=users instance=i1")
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[-1] == "ValueError: ('no such user', 1)"
    assert "[litestar]" in last
    assert "\x1b" not in stream.getvalue()


def test_colours_on_a_terminal_show_no_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    stream = Terminal()
    configure_logging(service="users", instance="i1", stream=stream)
    try:
        fail("a secret value")
    except ValueError:
        make_logger().exception("handler failed")
    assert "\x1b[" in stream.getvalue()
    assert stream.getvalue().count("a secret value") == 2  # in the source line, and in the exception's own text


def test_the_form_can_be_chosen() -> None:
    people, machine = Output(), Terminal()
    configure_logging(service="users", instance="i1", stream=people, pretty=True)
    make_logger().info("hello")
    configure_logging(service="users", instance="i1", stream=machine, pretty=False)
    make_logger().info("hello")
    assert "[info     ] hello" in people.getvalue()
    assert machine.line()["event"] == "hello"


def test_configuring_again_replaces_only_our_handler(output: Output) -> None:
    others = [
        handler for handler in logging.getLogger().handlers if type(handler).__module__ != "daebus.telemetry.logs"
    ]
    foreign = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(foreign)
    second = Output()
    configure_logging(service="orders", instance="i2", stream=second)
    make_logger().info("hello")
    assert output.getvalue() == ""
    assert (second.line()["service"], second.line()["instance"]) == ("orders", "i2")
    assert {*others, foreign} < set(logging.getLogger().handlers)


def test_the_level_is_the_lowest_that_is_written(output: Output) -> None:
    configure_logging(service="users", instance="i1", level="WARNING", stream=output)
    make_logger().info("low")
    make_logger().warning("high")
    assert output.line()["event"] == "high"


def test_the_environment_sets_the_level(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    monkeypatch.setenv("DAEBUS_LOG_LEVEL", "debug")
    configure_logging(service="users", instance="i1", level="ERROR", stream=output)
    make_logger().debug("seen")
    assert output.line()["event"] == "seen"


def test_a_level_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="The log level is 'LOUD': choose one of DEBUG, INFO"):
        configure_logging(service="users", instance="i1", level="LOUD")
    monkeypatch.setenv("DAEBUS_LOG_LEVEL", "quiet")
    with pytest.raises(ConfigurationError, match="variable DAEBUS_LOG_LEVEL is 'quiet': choose"):
        configure_logging(service="users", instance="i1")


def test_caplog_sees_events_fields_and_places(caplog: pytest.LogCaptureFixture, output: Output) -> None:
    make_logger(service="users").info("user created", user_id="u1")
    (record,) = caplog.records
    assert record.getMessage() == "user created service='users' user_id='u1'"
    assert (record.levelname, record.filename) == ("INFO", "test_logs.py")
    assert output.line()["event"] == "user created"


def test_stderr_is_looked_up_when_a_line_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(service="users", instance="i1")
    replacement = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", replacement)
        make_logger().info("first")
    replacement.close()
    make_logger().info("second")
    assert json.loads(capsys.readouterr().err)["event"] == "second"


def test_warnings_are_lines(output: Output) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(capture=False)
        configure_logging(service="users", instance="i1", stream=output)
        warnings.warn("this is old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    line = output.line()
    assert (line["level"], line["logger"]) == ("warning", "py.warnings")
    assert "DeprecationWarning: this is old" in str(line["event"])


async def test_tasks_and_threads_keep_their_context(output: Output) -> None:
    def in_thread() -> None:
        make_logger().info("thread")

    async def handler(name: str) -> None:
        current_context.set(Context(request_id=name, service="users", handler=name))
        await asyncio.to_thread(in_thread)
        make_logger().info("task")

    await asyncio.gather(handler("a"), handler("b"))
    seen = sorted((str(line["event"]), str(line["request_id"])) for line in output.lines())
    assert seen == [("task", "a"), ("task", "b"), ("thread", "a"), ("thread", "b")]


def test_a_logger_works_before_anything_is_configured() -> None:
    done = run(
        "from daebus.telemetry.logs import make_logger\nmake_logger().info('low')\nmake_logger(a=1).warning('high')"
    )
    assert (done.stdout, done.stderr) == ("", "high a=1\n")


def test_a_program_writes_json_lines_to_stderr_alone() -> None:
    done = run(
        "import warnings\n"
        "from daebus.telemetry.logs import configure_logging, make_logger\n"
        "configure_logging(service='users', instance='i1')\n"
        "make_logger().debug('ä')\n"
        "warnings.warn('old')\n"
        "make_logger().info('line\\nfeed')\n",
        DAEBUS_LOG_LEVEL="DEBUG",
        PYTHONIOENCODING="utf-8",
    )
    assert done.stdout == ""
    debug, warning, info = [json.loads(line) for line in done.stderr.splitlines()]
    assert (debug["event"], warning["logger"], info["event"]) == ("ä", "py.warnings", "line\nfeed")


def test_granian_uses_our_handler() -> None:
    done = run(
        "import logging\n"
        "from granian.log import LogLevels, access_logger, configure_logging as granian, logger\n"
        "from daebus.telemetry.logs import configure_logging, granian_logging\n"
        "configure_logging(service='users', instance='i1')\n"
        "granian(LogLevels.info, granian_logging())\n"
        "logger.info('Listening at: %s', 'here')\n"
        "access_logger.info('%(method)s %(status)d', {'method': 'GET', 'status': 200})\n"
    )
    assert done.stdout == ""
    listening, access = [json.loads(line) for line in done.stderr.splitlines()]
    assert (listening["event"], listening["logger"]) == ("Listening at: here", "_granian")
    assert (access["event"], access["logger"]) == ("GET 200", "granian.access")


def test_importing_it_loads_neither_asgi_server_nor_framework() -> None:
    done = run("import sys, daebus.telemetry.logs\nprint({'litestar', 'granian'} & set(sys.modules))")
    assert done.stdout == "set()\n"
