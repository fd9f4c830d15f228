"""taskiq-redis: jobs over a stream, acknowledged once they are done."""

import asyncio
import logging

from driving import Tally, drive, main, until_stopped
from taskiq.receiver import Receiver
from taskiq_redis import RedisStreamBroker

logging.disable(logging.INFO)


def make_broker(url: str):
    return RedisStreamBroker(url, queue_name="taskiq-bench", consumer_id="0", maxlen=200_000)


async def serve(url: str) -> None:
    broker, tally = make_broker(url), Tally()
    broker.is_worker_process = True

    @broker.task(task_name="note")
    async def note(user_id: str) -> None:
        tally.add()

    await broker.startup()
    finish = asyncio.Event()
    receiver = Receiver(broker, max_async_tasks=64, max_prefetch=64, run_startup=False)
    listening = asyncio.create_task(receiver.listen(finish))
    await until_stopped()
    finish.set()
    listening.cancel()


async def drive_it(url: str) -> None:
    broker = make_broker(url)

    @broker.task(task_name="note")
    async def note(user_id: str) -> None: ...

    await broker.startup()
    await drive({"send": lambda: note.kiq("u1")})


main(serve, drive_it)
