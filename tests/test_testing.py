"""`daebus.testing.running` is cheap enough to be used in each of a thousand tests."""

from __future__ import annotations

import asyncio
import ssl

import msgspec
import pytest

from daebus import Action, Daebus, DaebusHttp, DaebusWebSocket, Message, Room, Rooms
from daebus.testing import running

HELLO = Action[None, str]("hello", service="cheap")
LOBBY = Room[None]("lobby")
NUMBER = Message[int]("number")


async def test_certificates_are_read_once_for_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted(*, cafile: str | None = None, capath: str | None = None) -> ssl.SSLContext:
        read.append(create(cafile=cafile, capath=capath))
        return read[-1]

    monkeypatch.setattr("ssl.create_default_context", counted)
    for _ in range(3):
        app = Daebus("cheap")
        app.action(HELLO)(hello)
        async with running(app) as service:
            assert await service.call(HELLO) == "hello"
    assert len(read) <= 1


async def hello() -> str:
    return "hello"


async def test_a_socket_keeps_what_comes_before_an_answer() -> None:
    app = Daebus("cheap")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.socket_join(LOBBY)
    async def join() -> None: ...

    @app.socket("say")
    async def say(number: int, *, rooms: Rooms) -> int:
        await rooms.send(LOBBY(), NUMBER, number)
        await asyncio.sleep(0.05)
        return -number

    async with running(app) as service, service.socket() as socket:
        joined = msgspec.json.decode((await socket.ask("join", {"room": "lobby"})).data)
        for number in (1, 2):
            assert msgspec.json.decode((await socket.ask("say", number)).data) == -number
        got = [await socket.receive() for _ in range(2)]
        assert [(each.type, bytes(each.data), each.room, each.offset) for each in got] == [
            ("number", b"1", "lobby", 1),
            ("number", b"2", "lobby", 2),
        ]
        assert {each.epoch for each in got} == {joined["epoch"]}
