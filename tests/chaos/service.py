"""The service that is broken on purpose. Whatever it handles it writes down, so that nothing is lost with a process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from daebus import Action, Channel, Client, Daebus, DaebusHttp, DaebusWebSocket, Settings, StreamAction
from daebus.declare.policies import ListenOptions

__all__ = ["ASK", "COUNT", "EVENTS", "WORK", "Event", "app"]


class Event(msgspec.Struct):
    number: int


WORK = Action[int, None]("work", service="chaos")
ASK = Action[int, int]("ask", service="chaos")
COUNT = StreamAction[int, int]("count", service="chaos")
EVENTS = Channel[Event]("chaos", durable=True)

_WORK_SECONDS = float(os.environ.get("CHAOS_WORK_SECONDS", "0.1"))

app = Daebus(
    "chaos",
    settings=Settings(
        lease=float(os.environ.get("CHAOS_LEASE", "2")),
        max_concurrency=256,
        partitions=int(os.environ.get("CHAOS_PARTITIONS", "1")),
    ),
)
app.attach(DaebusHttp(port=0, host="127.0.0.1"))
app.attach(DaebusWebSocket())


def _open_ledger() -> int:
    path = Path(os.environ.get("CHAOS_LEDGER", os.devnull))
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


_ledger = _open_ledger()


def note(what: str, kind: str, number: int) -> None:
    """One write a line: it is with the kernel, and stays, when the process is killed."""
    os.write(_ledger, f"{what} {kind} {number} {time.monotonic():.6f}\n".encode())


async def _work(kind: str, number: int) -> None:
    note("begin", kind, number)
    await asyncio.sleep(_WORK_SECONDS)
    note("end", kind, number)


@app.action(WORK)
async def work(number: int) -> None:
    await _work("send", number)


def _listener() -> ListenOptions:
    """How the listener is called, and was called before, in this deployment."""
    given = ListenOptions(name=os.environ.get("CHAOS_LISTENER", "chaos.on_event"))
    if "CHAOS_RENAMED_FROM" in os.environ:
        given["renamed_from"] = os.environ["CHAOS_RENAMED_FROM"]
    return given


@app.listen(EVENTS, **_listener())
async def on_event(event: Event) -> None:
    await _work("event", event.number)


@app.action(ASK)
async def ask(number: int) -> int:
    await asyncio.sleep(_WORK_SECONDS)
    return number


@app.action(COUNT)
async def count(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        await asyncio.sleep(_WORK_SECONDS / 10)
        yield number


@app.route("/ask/<number>")
async def http_ask(number: int) -> int:
    await _work("request", number)
    return number


@app.socket("ask")
async def socket_ask(data: int, client: Client) -> int:
    await _work("socket", data)
    return data


@app.background("tick", 0.3)
async def tick() -> None:
    await _work("tick", time.monotonic_ns())
