"""Cancelling a connection that is being made, at whatever moment, ends it."""

from __future__ import annotations

import asyncio

import pytest

from daebus.connection.redis_server import RedisServer
from daebus.connection.server_link import ServerLink
from daebus.testing import private_redis_url

_STEPS = 30  # more than the connecting takes


@pytest.mark.parametrize("steps", range(_STEPS))
async def test_a_link_that_is_cancelled_while_it_connects_does_not_go_on(steps: int) -> None:
    link = ServerLink(RedisServer.from_url(private_redis_url()))

    async def connect() -> None:
        await link.start()
        await asyncio.Event().wait()

    task = asyncio.create_task(connect())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=20)
    assert task.cancelled()
    await link.close()


async def test_one_question_that_is_cancelled_is_not_asked_to_the_end() -> None:
    server, ended = RedisServer.from_url(private_redis_url()), 0
    for steps in range(_STEPS):
        task = asyncio.create_task(server.ask_each("PING"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.done():
            ended += 1
            continue
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
    assert ended < _STEPS
