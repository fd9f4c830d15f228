"""FastStream over Redis, with msgspec and without its log lines for each message.

``request`` goes over pub/sub, or over a stream that is read by a consumer group.
"""

import os

from driving import Tally, drive, main, until_stopped
from fast_depends.msgspec import MsgSpecSerializer
from faststream.redis import RedisBroker, StreamSub
from shapes import QUERY, TEXT, USER, GetUser, Text, User

AT_ONCE = 64


def stream(name: str) -> StreamSub:
    return StreamSub(name, group="bench", consumer=str(os.getpid()), max_records=AT_ONCE, last_id=">")


def make_broker(url: str) -> RedisBroker:
    return RedisBroker(url, logger=None, serializer=MsgSpecSerializer(), max_connections=2_000)


async def serve(url: str) -> None:
    broker, tally = make_broker(url), Tally()

    async def get_user(query: GetUser) -> User:
        return User(query.id, "ada@example.com", "Ada")

    async def echo(data: Text) -> Text:
        return data

    async def hear(event: User) -> None:
        tally.add()

    async def note(query: GetUser) -> None:
        tally.add()

    broker.subscriber("fs-get-user", max_workers=AT_ONCE)(get_user)
    broker.subscriber("fs-echo", max_workers=AT_ONCE)(echo)
    broker.subscriber(stream=stream("fs-stream-get-user"), max_workers=AT_ONCE)(get_user)
    broker.subscriber(stream=stream("fs-stream-echo"), max_workers=AT_ONCE)(echo)
    broker.subscriber(stream=stream("fs-stream-note"), max_workers=AT_ONCE)(note)
    broker.subscriber("fs-one")(hear)
    for _ in range(10):
        broker.subscriber("fs-ten")(_another(hear))
    async with broker:
        await broker.start()
        await until_stopped()


def _another(hear):
    async def hear_too(event: User) -> None:
        await hear(event)

    return hear_too


async def drive_it(url: str) -> None:
    async with make_broker(url) as broker:

        async def call(payload, **to) -> None:
            await (await broker.request(payload, timeout=5.0, **to)).decode()

        await drive(
            {
                "call": lambda: call(QUERY, channel="fs-get-user"),
                "call_10k": lambda: call(TEXT, channel="fs-echo"),
                "call_stream": lambda: call(QUERY, stream="fs-stream-get-user"),
                "call_10k_stream": lambda: call(TEXT, stream="fs-stream-echo"),
                "send": lambda: broker.publish(QUERY, stream="fs-stream-note"),
                "publish_1": lambda: broker.publish(USER, "fs-one"),
                "publish_10": lambda: broker.publish(USER, "fs-ten"),
            }
        )


main(serve, drive_it)
