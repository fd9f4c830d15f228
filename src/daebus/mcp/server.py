"""The server for assistants, made of tools. It loads the package `mcp`: import it only where tools are served."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

import msgspec
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from mcp_types import Tool as ShownTool

from daebus.errors import ServiceError
from daebus.mistakes.suggestions import did_you_mean

from .tools import Tool

__all__ = ["Ask", "Asked", "make_server"]

MAX_REPLY = 4 << 20
"""The most bytes of JSON that the items of one stream may have together."""

Asked: TypeAlias = ServerRequestContext[dict[str, Any], Any]

Ask = Callable[[Tool, bytes, Asked], AsyncGenerator[bytes]]
"""Passes a payload on and yields the reply, or each item of a stream, as JSON. It raises `ServiceError`."""


class _TooMuchError(ServiceError):
    code = "reply_too_large"


def make_server(service: str, tools: Iterable[Tool], ask: Ask) -> Server[dict[str, Any]]:
    """The server of some tools.

    Args:
        service: The name of the service.
        tools: The tools.
        ask: Called for each tool call.
    """
    return _Tools(tools, ask).server(service)


class _Tools:
    """Answers the requests of assistants."""

    def __init__(self, tools: Iterable[Tool], ask: Ask) -> None:
        self._tools: Mapping[str, Tool] = {tool.name: tool for tool in tools}
        self._ask = ask

    def server(self, service: str) -> Server[dict[str, Any]]:
        return Server(service, on_list_tools=self._list, on_call_tool=self._call)

    async def _list(self, _: Asked, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_shown(tool) for tool in self._tools.values()])

    async def _call(self, asked: Asked, params: CallToolRequestParams) -> CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            names = f"its tools are {', '.join(self._tools)}"
            message = f"There is no tool {params.name!r}: {did_you_mean(params.name, self._tools, names)}"
            raise MCPError(INVALID_PARAMS, message)
        try:
            replies = await self._replies(tool, tool.payload(params.arguments or {}), asked)
        except ServiceError as error:
            return _failed(error)
        reply = tool.reply(replies)
        return CallToolResult(content=[TextContent(text=reply.text)], structured_content=reply.structured)

    async def _replies(self, tool: Tool, payload: bytes, asked: Asked) -> list[bytes]:
        """The reply, or all items of a stream, of each of which the assistant is told while the stream goes on."""
        replies: list[bytes] = []
        size = 0
        async with aclosing(self._ask(tool, payload, asked)) as items:
            async for item in items:
                replies.append(item)
                size += len(item)
                if tool.streams:
                    if size > MAX_REPLY:
                        raise _TooMuchError(f"{tool.name} streams more than {MAX_REPLY >> 20} MiB: ask for less")
                    await asked.session.report_progress(len(replies), message=item.decode())
        return replies


def _shown(tool: Tool) -> ShownTool:
    return ShownTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.takes,
        output_schema=tool.gives,
    )


def _failed(error: ServiceError) -> CallToolResult:
    """An error that the assistant sees, so that it can correct its arguments."""
    problem = {"code": error.code, "message": error.message, "details": error.details}
    text = msgspec.json.encode(problem).decode()
    return CallToolResult(content=[TextContent(text=text)], is_error=True)
