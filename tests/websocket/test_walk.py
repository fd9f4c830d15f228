"""How many of daebus' own functions a WebSocket message passes through, on a warm path: this may shrink, not grow."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec
from dependency_injector import providers

import daebus
from daebus import Daebus, DaebusWebSocket, ServiceContainer
from daebus.testing import running

_SOURCE = f"{Path(daebus.__file__).parent}/"
_WARM, _ROUNDS = 20, 100
_MOST = 15


class User(msgspec.Struct):
    id: int
    name: str


class Users:
    def add(self, user: User) -> User:
        return user


class Container(ServiceContainer):
    users = providers.Singleton(Users)


@contextmanager
def counted() -> Generator[Counter[str]]:
    """Counts the calls of our own functions in this thread: from the bytes that arrive to those of the answer."""
    calls = Counter[str]()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        # A function begins with the instruction RESUME 0; a coroutine that goes on, with another number.
        if event == "call" and code.co_filename.startswith(_SOURCE) and code.co_code[frame.f_lasti + 1] & 3 == 0:
            calls[f"{code.co_filename.removeprefix(_SOURCE)}: {code.co_qualname}"] += 1

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


async def test_a_websocket_message_with_an_id_and_its_answer() -> None:
    app = Daebus("walk", container=Container())
    app.attach(DaebusWebSocket(port=0))

    @app.socket("add_user")
    async def add_user(data: User, *, users: Users) -> User:
        return users.add(data)

    async with running(app) as service, service.socket() as client:

        async def ask() -> None:
            await client.connection.send('{"type":"add_user","data":{"id":7,"name":"Ada"},"id":"a1"}')
            answer = json.loads(await client.connection.recv())
            assert answer == {"type": "response", "data": {"id": 7, "name": "Ada"}, "id": "a1"}

        for _ in range(_WARM):
            await ask()
        with counted() as calls:
            for _ in range(_ROUNDS):
                await ask()
    # What the service does now and then besides, such as a heartbeat, is no part of the walk.
    walk = {name: each for name, all_ in calls.items() if (each := round(all_ / _ROUNDS))}
    assert sum(walk.values()) <= _MOST, walk
