"""What assistants are told of actions: schemas that stand alone, whatever the types, and wrong options refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.mcp.assistants import assistant
from tests.support import until

from daebus import Daebus, DaebusHttp
from daebus.errors import ConfigurationError, WiringError
from daebus.mcp.tools import Tool, tools_of
from daebus.testing import running


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


class Group(msgspec.Struct, tag=True):
    shapes: list[Circle | Square | Group]


def tool_of(app: Daebus[Any]) -> Tool:
    ((tool, _),) = tools_of(app.check().plans.compiled())
    for schema in (tool.takes, tool.gives):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    return tool


def test_a_recursive_payload_has_all_its_definitions() -> None:
    app = Daebus("shapes")

    @app.action("draw", tool=True)
    async def draw(group: Group) -> list[Circle]:
        return []

    tool = tool_of(app)
    drawn = {"type": "Group", "shapes": [{"type": "Group", "shapes": [{"type": "Circle", "radius": 1}]}]}
    jsonschema.validate(drawn, tool.takes)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**drawn, "shapes": [{"type": "Circle", "radius": "one"}]}, tool.takes)
    assert tool.payload(drawn) == msgspec.json.encode(drawn)
    reply = tool.reply([b'[{"type":"Circle","radius":1.5}]'])
    jsonschema.validate(reply.structured, tool.gives)


def test_a_payload_that_is_no_object_is_one_argument() -> None:
    app = Daebus("shapes")

    @app.action("measure", tool=True)
    async def measure(shape: Circle | Square) -> float:
        return 1.0

    tool = tool_of(app)
    circle = {"type": "Circle", "radius": 1}
    jsonschema.validate({"value": circle}, tool.takes)
    assert tool.payload({"value": circle}) == msgspec.json.encode(circle)
    jsonschema.validate(tool.reply([b"3.5"]).structured, tool.gives)


def test_an_action_that_takes_and_gives_nothing() -> None:
    app = Daebus("shapes")

    @app.action("clear", tool=True)
    async def clear() -> None: ...

    tool = tool_of(app)
    jsonschema.validate({}, tool.takes)
    assert tool.payload({}) == b"null"
    jsonschema.validate(tool.reply([b"null"]).structured, tool.gives)


def test_a_stream_is_a_list_of_its_items() -> None:
    app = Daebus("shapes")

    @app.action("every", tool=True)
    async def every() -> AsyncIterator[Circle]:
        yield Circle(1)

    reply = (tool := tool_of(app)).reply([b'{"type":"Circle","radius":1}', b'{"type":"Circle","radius":2}'])
    jsonschema.validate(reply.structured, tool.gives)
    assert tool.reply([]).structured == {"result": []}


def test_actions_are_no_tools_by_themselves() -> None:
    app = Daebus("shapes")

    @app.action("clear")
    async def clear() -> None: ...

    assert tools_of(app.check().plans.compiled()) == []


def test_wrong_options_are_refused_where_they_stand() -> None:
    app = Daebus("shapes")
    with pytest.raises(WiringError, match=r"tool='yes' is not an allowed value\s+--> tests/mcp/test_tools\.py:\d+"):
        app.action("draw", tool="yes")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(WiringError, match="is none for a tool"):
        app.action("zeichne/alle", tool=True)
    app.action("zeichne/alle", tool=False)


async def test_without_the_package_the_app_does_not_start_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Daebus("shapes")
    app.attach(DaebusHttp(port=0))

    @app.action("clear", tool=True)
    async def clear() -> None: ...

    def find_nothing(_: str) -> None: ...

    monkeypatch.setattr("daebus.mcp.tools.find_spec", find_nothing)
    with pytest.raises(ConfigurationError, match=r"test_tools\.py:\d+.* action clear has tool=True.*daebus\[mcp\]"):
        async with running(app):
            raise AssertionError


async def test_a_reply_that_is_too_large_for_an_assistant_is_an_error() -> None:
    app, ended = Daebus("large"), list[bool]()
    app.attach(DaebusHttp(port=0))

    @app.action("all", tool=True)
    async def all_lines() -> AsyncIterator[str]:
        try:
            while True:
                yield "x" * 100_000
        finally:
            ended.append(True)

    async with running(app) as service, assistant(service) as client:
        failed = await client.call_tool("all", {})
        assert (failed.is_error, '"code":"reply_too_large"' in str(failed.content)) == (True, True)
        await until(lambda: ended == [True])
