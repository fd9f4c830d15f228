"""What runs, in several processes, on a cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import msgspec
from redis.asyncio import RedisCluster

from daebus import (
    Action,
    Channel,
    Client,
    Clients,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Message,
    Settings,
    StreamAction,
)

__all__ = ["BREAK", "COUNT", "FRAGILE", "INCREASE", "NEWS", "WORK", "Order", "app"]


class Order(msgspec.Struct):
    number: int


WORK = Action[int, None]("work", service="spread")
INCREASE = Action[int, int]("increase", service="spread")
BREAK = Action[bool, None]("break", service="spread")
COUNT = StreamAction[int, int]("count", service="spread")
FRAGILE = Channel[Order]("fragile", durable=True)
NEWS = Channel[Order]("news")
TOLD = Message[int]("told")

app = Daebus("spread", settings=Settings(lease=1.0))
app.attach(DaebusHttp(port=0, host="127.0.0.1"))
app.attach(DaebusWebSocket())


async def note(redis: RedisCluster, kind: str, what: object) -> int:
    """Write down what was done, where the test can read it."""
    return await redis.rpush(f"{{spread}}:noted:{kind}", str(what))


@app.action(WORK)
async def work(number: int, *, redis_cluster: RedisCluster) -> None:
    await asyncio.sleep(0.05)
    await note(redis_cluster, "work", number)


@app.action(INCREASE)
async def increase(by: int, *, redis_cluster: RedisCluster) -> int:
    return await note(redis_cluster, "increase", by)


@app.action(BREAK)
async def break_or_mend(broken: bool, *, redis_cluster: RedisCluster) -> None:
    await redis_cluster.set("{spread}:broken", int(broken))


@app.action(COUNT)
async def count(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


@app.listen(FRAGILE, retries=1, backoff=0.01)
async def on_fragile(order: Order, *, redis_cluster: RedisCluster) -> None:
    await note(redis_cluster, "tried", order.number)
    if await redis_cluster.get("{spread}:broken") == b"1":
        raise RuntimeError("broken")
    await note(redis_cluster, "fragile", order.number)


@app.listen(NEWS)
async def on_news(order: Order, *, clients: Clients) -> None:
    """Each replica hears it, and tells all clients."""
    await clients.broadcast(TOLD, order.number)


@app.socket("whisper")
async def whisper(target: str, *, clients: Clients) -> bool:
    return await clients.send(target, TOLD, -1)


@app.socket("me")
async def me(client: Client) -> str:
    return client.id


@app.background("tick", 0.1)
async def tick(*, redis_cluster: RedisCluster) -> None:
    await note(redis_cluster, "tick", f"{os.getpid()} begin")
    await asyncio.sleep(0.05)
    await note(redis_cluster, "tick", f"{os.getpid()} end")
