"""The service whose streams are cut: it counts what it has open."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator

import msgspec
from dependency_injector import providers
from litestar.response import ServerSentEvent, Stream

from daebus import Daebus, DaebusHttp, Logger, PerMessage, ServiceContainer

__all__ = ["State", "app"]

_PAUSE_SECONDS = 0.02


class State(msgspec.Struct):
    """What the process has open.

    Attributes:
        sessions: Per-message objects that are open, but for that of the question.
        generators: Generators of bodies that have begun, and not ended.
        opened: How many sessions were opened in all.
        tasks: How many tasks its event loop has.
        descriptors: How many descriptors it has.
    """

    sessions: int = 0
    generators: int = 0
    opened: int = 0
    tasks: int = 0
    descriptors: int = 0


_state = State()
_lock = threading.Lock()


async def _open_session() -> AsyncIterator[State]:
    _state.sessions += 1
    _state.opened += 1
    try:
        yield _state
    finally:
        _state.sessions -= 1


class _Container(ServiceContainer):
    session = PerMessage(_open_session)
    state = providers.Object(_state)


app = Daebus("streaming", container=_Container())
app.attach(DaebusHttp(port=0, host="127.0.0.1"))


async def _rows(text: str) -> AsyncIterator[str]:
    with _lock:
        _state.generators += 1
    try:
        while True:
            yield text
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        with _lock:
            _state.generators -= 1


def _blocking_rows(text: str) -> Iterator[str]:
    with _lock:
        _state.generators += 1
    try:
        while True:
            yield text
            time.sleep(_PAUSE_SECONDS)
    finally:
        with _lock:
            _state.generators -= 1


@app.route("/rows")
async def rows(*, session: State) -> Stream:
    return Stream(_rows("row\n" * 1000))


@app.route("/blocking")
async def blocking(*, session: State) -> Stream:
    return Stream(_blocking_rows("row\n" * 1000))


@app.route("/events")
async def events(*, session: State) -> ServerSentEvent:
    return ServerSentEvent(_rows("event"))


@app.route("/state")
async def state() -> State:
    descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
    return msgspec.structs.replace(_state, descriptors=descriptors, tasks=tasks)


@app.on_stop()
async def tell(*, logger: Logger) -> None:
    logger.info("left open", sessions=_state.sessions, generators=_state.generators)
