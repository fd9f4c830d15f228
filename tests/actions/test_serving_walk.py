"""The number of our own steps that a call takes: from the caller to the handler and back, in one process."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
import pytest

import daebus
from daebus import Action, Bus, Daebus, StreamAction
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

_OURS = str(Path(daebus.__file__).parent)


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str


GET_USER = Action[GetUser, User]("get_user", service="walked")
COUNT = StreamAction[int, int]("count", service="walked")


class Walk:
    """The calls of daebus' own functions, in all threads. A coroutine that goes on is no new call."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._frames: dict[int, FrameType] = {}  # kept, so that no other frame gets the id of one

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(_OURS) and id(frame) not in self._frames:
            self._frames[id(frame)] = frame
            self.calls.append(code.co_qualname)

    @contextmanager
    def traced(self) -> Generator[None]:
        threading.setprofile(self)
        sys.setprofile(self)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            self._frames.clear()


def walked() -> Daebus:
    app = Daebus("walked")

    @app.action(GET_USER)
    async def get_user(query: GetUser) -> User:
        return User(query.id)

    @app.action(COUNT)
    async def count(most: int) -> AsyncIterator[int]:
        for number in range(most):
            yield number

    return app


async def test_a_call_takes_at_most_70_steps() -> None:
    walk, walks = Walk(), list[list[str]]()
    with walk.traced():  # before the service starts its threads
        async with running(walked()), Bus() as bus:
            for _ in range(20):  # until what is looked up once is known
                await bus.call(GET_USER, GetUser("u1"))
            for _ in range(41):
                await asyncio.sleep(0.01)  # the last call is settled, and its streams are read again
                walk.calls.clear()
                assert await bus.call(GET_USER, GetUser("u1")) == User("u1")
                await asyncio.sleep(0.01)
                walks.append(list(walk.calls))
    median = sorted(walks, key=len)[len(walks) // 2]  # in some a heartbeat, or a look at the registry, falls
    assert len(median) <= 70, Counter(median)
    assert {"Bus.call", "RequestHandler.handle", "dispatch", "Work.reply", "Inbox.receive"} <= set(median)


async def test_an_item_of_a_stream_takes_at_most_14_steps() -> None:
    walk, taken = Walk(), list[int]()
    with walk.traced():
        async with running(walked()), Bus() as bus:
            for most in (1, 20, 220):
                walk.calls.clear()
                assert [number async for number in bus.stream(COUNT, most)] == [*range(most)]
                taken.append(len(walk.calls))
    assert (taken[2] - taken[1]) / 200 < 15, Counter(walk.calls)
