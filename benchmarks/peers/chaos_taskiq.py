"""taskiq-redis: jobs over a stream, acknowledged once they are done, claimed when they were left for two seconds."""

import asyncio
import logging
import sys

from breaking import LEASE_MS, send_all, until_stopped, work
from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

logging.disable(logging.INFO)


async def main() -> None:
    broker = RedisStreamBroker(sys.argv[2], queue_name="chaos", idle_timeout=LEASE_MS, maxlen=None)

    @broker.task(task_name="work")
    async def handle(number: int) -> None:
        await work(number)

    if sys.argv[1] == "send":
        await broker.startup()
        await send_all(handle.kiq)
        await broker.shutdown()
        return
    broker.is_worker_process = True
    await broker.startup()
    finish = asyncio.Event()
    receiver = Receiver(broker, max_async_tasks=256, max_prefetch=64, run_startup=False)
    listening = asyncio.create_task(receiver.listen(finish))
    await until_stopped()
    finish.set()
    listening.cancel()


asyncio.run(main())
