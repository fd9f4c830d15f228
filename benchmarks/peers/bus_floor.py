"""Our floor: daebus' own connections (`daebus.connection.server_link`) without daebus.

As durable as daebus is: an entry of a stream, read as a group, answered over pub/sub, acknowledged and deleted.
Whatever one read brings is acknowledged and deleted by one command each.
"""

import asyncio
import itertools
import time
from contextlib import suppress

import msgspec
from driving import Tally, drive, main, until_stopped
from shapes import ITEMS, QUERY, TEXT, USER, GetUser, Text, User

from daebus.connection.blocking_link import BlockingLink
from daebus.connection.redis_server import RedisServer
from daebus.connection.resp import CommandError
from daebus.connection.server_link import ServerLink
from daebus.connection.subscriber import Subscriber

STREAM, GROUP, REPLIES = "floor:requests", "floor", "floor:replies"

encode = msgspec.json.encode
decode_query = msgspec.json.Decoder(GetUser).decode
decode_user = msgspec.json.Decoder(User).decode
decode_text = msgspec.json.Decoder(Text).decode


async def serve(url: str) -> None:
    server, tally = RedisServer.from_url(url), Tally()
    link, reader, subscriber = ServerLink(server), BlockingLink(server, STREAM), Subscriber(server)
    await link.start()
    await subscriber.start()
    await subscriber.subscribe("floor:one", lambda body: (decode_user(body), tally.add()))
    for _ in range(10):
        await subscriber.subscribe("floor:ten", lambda body: (decode_user(body), tally.add()))
    with suppress(CommandError):  # it is there from an earlier start
        await link.execute("XGROUP", "CREATE", STREAM, GROUP, "0", "MKSTREAM")
    async with asyncio.TaskGroup() as group:  # a reader that fails ends the service, and the log says why
        reading = group.create_task(read(link, reader, tally))
        await until_stopped()
        reading.cancel()


async def read(link: ServerLink, reader: BlockingLink, tally: Tally) -> None:
    command = ("XREADGROUP", "GROUP", GROUP, "one", "COUNT", 64, "BLOCK", 5000, "STREAMS", STREAM, ">")
    while True:
        for _, entries in await reader.execute(*command) or ():
            for _, (_, kind, _, request, _, body) in entries:
                if kind == b"call":
                    query = decode_query(body)
                    answer(link, request, encode(User(query.id, "ada@example.com", "Ada")))
                elif kind == b"echo":
                    answer(link, request, encode(decode_text(body)))
                elif kind == b"users":
                    for _ in range(ITEMS):
                        answer(link, request, encode(USER))
                else:
                    decode_query(body)
                    tally.add()
            ids = [entry_id for entry_id, _ in entries]
            link.execute("XACK", STREAM, GROUP, *ids)
            link.execute("XDEL", STREAM, *ids)


def answer(link: ServerLink, request: bytes, body: bytes) -> None:
    link.execute("PUBLISH", REPLIES, b"%b %b" % (request, body))


class Caller:
    def __init__(self, link: ServerLink) -> None:
        self.link = link
        self.waiting: dict[bytes, asyncio.Future] = {}
        self.streams: dict[bytes, asyncio.Queue] = {}
        self.numbers = itertools.count(time.time_ns())

    def receive(self, message: bytes) -> None:
        request, _, body = message.partition(b" ")
        if (future := self.waiting.pop(request, None)) is not None:
            future.set_result(body)
        elif (queue := self.streams.get(request)) is not None:
            queue.put_nowait(body)

    def ask(self, kind: str, body: bytes) -> bytes:
        request = b"%x" % next(self.numbers)
        self.link.execute("XADD", STREAM, "*", "kind", kind, "id", request, "body", body)
        return request

    async def call(self, kind: str, payload: object, decode) -> object:
        request = self.ask(kind, encode(payload))
        future = self.waiting[request] = asyncio.get_running_loop().create_future()
        return decode(await future)

    async def stream(self) -> None:
        request = self.ask("users", encode(QUERY))
        queue = self.streams[request] = asyncio.Queue()
        for _ in range(ITEMS):
            decode_user(await queue.get())
        del self.streams[request]

    async def send(self) -> None:
        await self.link.execute("XADD", STREAM, "*", "kind", "note", "id", "", "body", encode(QUERY))

    async def publish(self, channel: str) -> None:
        await self.link.execute("PUBLISH", channel, encode(USER))


async def drive_it(url: str) -> None:
    server = RedisServer.from_url(url)
    link, subscriber = ServerLink(server), Subscriber(server)
    await link.start()
    await subscriber.start()
    caller = Caller(link)
    await subscriber.subscribe(REPLIES, caller.receive)
    await drive(
        {
            "call": lambda: caller.call("call", QUERY, decode_user),
            "call_10k": lambda: caller.call("echo", TEXT, decode_text),
            "stream": caller.stream,
            "send": caller.send,
            "publish_1": lambda: caller.publish("floor:one"),
            "publish_10": lambda: caller.publish("floor:ten"),
        }
    )


main(serve, drive_it)
