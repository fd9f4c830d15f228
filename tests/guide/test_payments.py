"""How docs/guide.md tests its service."""

from collections.abc import AsyncIterator

import pytest
from tests.guide.payments import COUNT, Audit, CardDeclined, Ledger, Pay, Receipt, app, count, pay
from websockets.exceptions import InvalidStatus

from daebus.testing import RunningService, running


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running(app) as service:
        yield service


class FullLedger(Ledger):
    def __init__(self) -> None:
        pass

    async def add(self, cents: int) -> int:
        return 1_000_000 + cents


async def test_pay(service: RunningService) -> None:
    with service.override(ledger=FullLedger()):
        assert await service.call(pay, Pay("o1", 5)) == Receipt("o1", 1_000_005)
        response = await service.http.post("/pay", json={"order": "o2", "cents": 7})
    assert (response.status_code, response.json()) == (201, {"order": "o2", "total": 1_000_007})


async def test_find(service: RunningService) -> None:
    assert (await service.http.get("/pay/o1", params={"days": 7})).json()["order"] == "o1"
    refused = await service.http.get("/pay/o1", params={"days": 0})
    assert (refused.status_code, refused.json()["details"]["errors"][0]["path"]) == (400, "days")


async def test_sockets(service: RunningService) -> None:
    async with service.socket(user="ada") as ada, service.socket(user="bob") as bob:
        await ada.connection.send('{"type": "ws_count", "data": 2, "id": 1}')
        assert [bytes((await ada.receive(20)).data) for _ in range(3)] == [b"0", b"1", b"null"]
        answer = await ada.ask("pay", Pay("o1", 5))
        assert answer.type == "response"
        assert (await bob.receive()).type == "receipt"
    with pytest.raises(InvalidStatus):
        async with service.socket():
            pass


async def test_declined(service: RunningService) -> None:
    with pytest.raises(CardDeclined) as caught:
        await service.call(pay, Pay("o3", 2_000_000))
    assert caught.value.details == {"limit": 1_000_000}


async def test_handler_alone(service: RunningService) -> None:
    audit, bus = Audit(), service.bus
    await pay(Pay("o4", 1), ledger=FullLedger(), audit=audit, bus=bus)
    assert audit.notes == ["o4 was paid"]


async def test_count(service: RunningService) -> None:
    assert [number async for number in service.stream(COUNT, 3)] == [0, 1, 2]
    assert [number async for number in count(2)] == [0, 1]
