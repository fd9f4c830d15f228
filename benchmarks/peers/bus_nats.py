"""nats-py: core request/reply, publish, and streams of replies by hand; `send` is JetStream's publish, confirmed."""

import asyncio

import msgspec
import nats
from driving import Tally, drive, main, until_stopped
from nats.js.api import ConsumerConfig, StreamConfig
from shapes import ITEMS, QUERY, TEXT, USER, GetUser, Text, User

encode = msgspec.json.encode
decode_query = msgspec.json.Decoder(GetUser).decode
decode_user = msgspec.json.Decoder(User).decode
decode_text = msgspec.json.Decoder(Text).decode


async def serve(url: str) -> None:
    client, tally = await nats.connect(url), Tally()

    async def get_user(message) -> None:
        query = decode_query(message.data)
        await message.respond(encode(User(query.id, "ada@example.com", "Ada")))

    async def echo(message) -> None:
        await message.respond(encode(decode_text(message.data)))

    async def users(message) -> None:
        for _ in range(ITEMS):
            await message.respond(encode(USER))

    async def hear(message) -> None:
        decode_user(message.data)
        tally.add()

    async def note(message) -> None:
        decode_query(message.data)
        tally.add()
        await message.ack()

    await client.subscribe("get_user", cb=get_user)
    await client.subscribe("echo", cb=echo)
    await client.subscribe("users", cb=users)
    await client.subscribe("one", cb=hear)
    for _ in range(10):
        await client.subscribe("ten", cb=hear)
    jetstream = client.jetstream()
    await jetstream.add_stream(StreamConfig(name="notes", subjects=["note"], retention="workqueue"))
    await jetstream.subscribe(
        "note", durable="bench", cb=note, manual_ack=True, config=ConsumerConfig(max_ack_pending=5000)
    )
    await until_stopped()
    await client.close()


async def drive_it(url: str) -> None:
    client = await nats.connect(url)
    jetstream = client.jetstream(publish_async_max_pending=10_000)

    async def call(subject: str, payload: object, decode) -> None:
        decode((await client.request(subject, encode(payload), timeout=5)).data)

    async def users() -> None:
        inbox = client.new_inbox()
        items = await client.subscribe(inbox)
        await client.publish("users", encode(QUERY), reply=inbox)
        for _ in range(ITEMS):
            decode_user((await items.next_msg(timeout=5)).data)
        await items.unsubscribe()

    async def publish(subject: str) -> None:
        await client.publish(subject, encode(USER))
        await asyncio.sleep(0)

    await drive(
        {
            "call": lambda: call("get_user", QUERY, decode_user),
            "call_10k": lambda: call("echo", TEXT, decode_text),
            "stream": users,
            "send": lambda: jetstream.publish("note", encode(QUERY)),
            "publish_1": lambda: publish("one"),
            "publish_10": lambda: publish("ten"),
        }
    )


main(serve, drive_it)
