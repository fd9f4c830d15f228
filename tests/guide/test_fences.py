"""What docs/guide.md promises of fences: the writes of an owner that is no longer the owner are refused."""

import asyncio
from pathlib import Path

import pytest
from tests.engines import Engine, open_proxy
from tests.guide.fences import SHIP, Carrier, Parcel, Shipments, make_app

from daebus import Bus
from daebus.errors import Conflict
from daebus.testing import running

LEASE = 0.6


class SlowCarrier(Carrier):
    def __init__(self, name: str) -> None:
        self.name = name
        self.asked, self.printed = asyncio.Event(), asyncio.Event()

    async def print_label(self, order: str) -> str:
        self.asked.set()
        while not self.printed.is_set():
            try:
                await self.printed.wait()
            except asyncio.CancelledError:  # the worst kind of handler: it does not let itself be cancelled
                continue
        return f"{self.name} of {order}"


async def test_a_stale_owner_writes_nothing(tmp_path: Path) -> None:
    shipments = Shipments(str(tmp_path / "shipments.db"))
    stale, heir = SlowCarrier("first"), SlowCarrier("second")
    with Engine(tmp_path) as engine:
        async with (
            open_proxy(engine.port) as proxy,
            Bus(engine.tcp_url) as bus,
            running(make_app(LEASE), redis_url=f"redis://127.0.0.1:{proxy.port}/0") as cut_off,
        ):
            with cut_off.override(shipments=shipments, carrier=stale):
                call = asyncio.create_task(bus.call(SHIP, Parcel("7"), timeout=30))
                await stale.asked.wait()
                async with running(make_app(LEASE), redis_url=engine.tcp_url) as other:
                    with other.override(shipments=shipments, carrier=heir):
                        proxy.stall()
                        await heir.asked.wait()
                        stale.printed.set()
                        await asyncio.sleep(0.05)
                        assert label_of(shipments) is None
                        heir.printed.set()
                        assert await call == "second of 7"
                        proxy.flow()
                assert label_of(shipments) == "second of 7"
                assert await bus.call(SHIP, Parcel("7"), timeout=30) == "second of 7"


def test_the_fences_of_the_table(tmp_path: Path) -> None:
    shipments = Shipments(str(tmp_path / "shipments.db"))
    assert shipments.begin("7", "01") is None
    assert shipments.begin("7", "02") is None
    for fence in ("01", None):
        with pytest.raises(Conflict):
            shipments.finish("7", "label", fence)
        with pytest.raises(Conflict):
            shipments.begin("7", "01")
    shipments.finish("7", "label", "02")
    assert shipments.begin("7", "03") == "label"


def label_of(shipments: Shipments) -> object:
    ((label,),) = shipments.database.execute("SELECT label FROM shipments").fetchall()
    return label
