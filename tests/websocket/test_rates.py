"""What a service decides for its WebSocket clients: how much they may send, their ids, the notice of a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from daebus import Client, Daebus, DaebusWebSocket, Message, WebSocketLimits
from daebus.testing import RunningService, Socket, running


class Busy(msgspec.Struct):
    retry_after: float


class Refusal(msgspec.Struct):
    code: str
    details: Busy


class Notice(msgspec.Struct):
    text: str


GOING_DOWN = Message[Notice]("going_down")


def make_app(websocket: DaebusWebSocket) -> Daebus:
    app = Daebus("rates")
    app.attach(websocket)

    @app.socket("ping")
    async def ping(client: Client) -> str:
        return client.id

    return app


async def flood(socket: Socket) -> None:
    for _ in range(200):
        await socket.ask("ping")


async def refused(service: RunningService, messages: int) -> list[Refusal]:
    async with service.socket() as socket:
        answers = [await socket.ask("ping") for _ in range(messages)]
    return [msgspec.json.decode(one.data, type=Refusal) for one in answers if one.type == "error"]


async def test_a_client_that_sends_too_much_is_refused_and_others_are_not() -> None:
    limits = WebSocketLimits(max_rate=0.5, max_burst=3)
    async with running(make_app(DaebusWebSocket(port=0, limits=limits))) as service:
        first, second = await asyncio.gather(refused(service, 5), refused(service, 3))
    assert [one.code for one in first] == ["too_many_requests"] * 2
    assert 0 < first[0].details.retry_after <= 2
    assert second == []


async def test_a_client_may_send_again_later() -> None:
    limits = WebSocketLimits(max_rate=200, max_burst=1)
    async with running(make_app(DaebusWebSocket(port=0, limits=limits))) as service, service.socket() as socket:
        for _ in range(5):
            assert (await socket.ask("ping")).type == "response"
            await asyncio.sleep(0.01)


async def test_a_client_that_goes_on_is_disconnected() -> None:
    limits = WebSocketLimits(max_rate=0.001, max_burst=1)
    async with running(make_app(DaebusWebSocket(port=0, limits=limits))) as service, service.socket() as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await flood(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_ids_have_a_part_of_the_user() -> None:
    def name_of(headers: Mapping[str, str]) -> str:
        return headers["x-device"]

    async with running(make_app(DaebusWebSocket(port=0, client_id=name_of))) as service:
        found: list[str] = []
        for _ in range(2):
            async with service.socket(headers={"x-device": "phone of/Ada"}) as socket:
                found.append(msgspec.json.decode((await socket.ask("ping")).data, type=str))
    assert all(one.startswith("phone_of_Ada-") for one in found)
    assert len(set(found)) == 2


async def test_clients_are_told_of_the_stop_before_they_are_disconnected() -> None:
    app = make_app(DaebusWebSocket(port=0, stop_notice=(GOING_DOWN, Notice("back soon"))))
    async with running(app) as service:
        socket = Socket(await connect(f"ws://127.0.0.1:{service.ports['websocket']}/ws"))
        await socket.ask("ping")
    told = await socket.receive()
    assert (told.type, bytes(told.data)) == ("going_down", b'{"text":"back soon"}')
    with pytest.raises(ConnectionClosed) as closed:
        await socket.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
