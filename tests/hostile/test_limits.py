"""What an app takes from those who ask it, and what becomes of the rest: docs/limits.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.support import raw_redis, until

from daebus import (
    Action,
    Bus,
    BusLimits,
    Channel,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    HttpLimits,
    Settings,
    StreamAction,
)
from daebus.errors import BadRequest, TooLarge, TooManyRequests, Unavailable
from daebus.protocol.messages import action_stream, channel_stream, control_channel, dead_letters
from daebus.testing import private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

_MINE = "daebus:reply:hostile"


class Note(msgspec.Struct):
    text: str


ECHO = Action[Any, Any]("echo", service="victim")
FOR_EVER = StreamAction[None, int]("for_ever", service="victim")
NOTES = Channel[Note]("notes")
KEPT = Channel[Note]("kept", durable=True)


def victim(settings: Settings | None = None, **limits: int) -> Daebus:
    app = Daebus("victim", settings=settings or Settings(limits=BusLimits(**limits)))

    @app.action("echo")
    async def echo(data: Any) -> Any:
        return data

    @app.action("for_ever")
    async def for_ever() -> AsyncGenerator[int]:
        yield 0
        await asyncio.Event().wait()

    return app


@asynccontextmanager
async def attacker() -> AsyncGenerator[tuple[Any, Any]]:
    """A client, and what it hears on its reply channel."""
    async with raw_redis(private_redis_url()) as redis:
        heard = redis.pubsub()
        await heard.subscribe(_MINE)
        await heard.get_message(timeout=5)
        try:
            yield redis, heard
        finally:
            await heard.aclose()


async def hear(heard: Any) -> Mapping[str, Any]:
    message = await heard.get_message(timeout=10)
    assert message is not None
    reply: Mapping[str, Any] = json.loads(message["data"])
    return reply


async def request(redis: Any, body: bytes | Mapping[str, object], action: str = "echo") -> None:
    whole = body if isinstance(body, bytes) else json.dumps({"action": action, **body}).encode()
    await redis.xadd(action_stream("victim", action), {"request": whole})


async def buried(redis: Any, count: int) -> list[str]:
    """The errors of the dead letters, once there are so many."""

    async def are_there() -> bool:
        return bool(await redis.xlen(dead_letters("victim")) >= count)

    await until(are_there, 10)
    return [fields[b"error"].decode() for _, fields in await redis.xrange(dead_letters("victim"))]


async def _exhaust(stream: AsyncGenerator[int]) -> None:
    async for _ in stream:
        pass


class TestRequests:
    async def test_replies_go_to_reply_channels_alone(self) -> None:
        async with running(victim()), attacker() as (redis, heard):
            others = ("notes", "daebus:{victim}:control", "daebus:{victim}:clients", "", "daebus:reply:" + "x" * 300)
            await heard.subscribe(*others)
            for other in others:
                await request(redis, {"reply_to": other, "request_id": "r", "payload": 1})
            errors = await buried(redis, len(others))
            assert all("`$.reply_to`" in error for error in errors), errors
            for mine in (_MINE, "caller:7f9d2f0e", "users.responses"):
                await heard.subscribe(mine)
                await request(redis, {"reply_to": mine, "request_id": "r", "payload": 2})
            replies: list[bytes] = []
            while len(replies) < 3:
                message = await heard.get_message(timeout=10)
                assert message is not None
                replies.extend([message["channel"]] if message["type"] == "message" else [])
            assert replies == [_MINE.encode(), b"caller:7f9d2f0e", b"users.responses"]

    async def test_what_is_no_request_is_buried_and_stops_nothing(self) -> None:
        hostile = (
            b'{"action":"echo","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"action":"echo","deadline":1' + b"0" * 400 + b"}",
            b'{"action":"echo","request_id":"' + b"x" * 300 + b'"}',
            b'{"action":"\xff"}',
            b"",
        )
        async with running(victim()) as service, attacker() as (redis, _):
            for body in hostile:
                await request(redis, body)
            assert len(await buried(redis, len(hostile))) == len(hostile)
            assert await service.call(ECHO, "honest") == "honest"
            assert await redis.xlen(action_stream("victim", "echo")) == 0

    async def test_a_payload_that_is_too_large_is_answered_so(self) -> None:
        async with running(victim(max_message_size=1000)) as service, attacker() as (redis, heard):
            await request(redis, {"reply_to": _MINE, "request_id": "r", "payload": "x" * 1001})
            assert (await hear(heard))["payload"]["code"] == "too_large"
            with pytest.raises(TooLarge, match="at most 1000"):
                await service.call(ECHO, "x" * 1001)
            assert await service.call(ECHO, "x" * 900) == "x" * 900

    async def test_a_payload_that_contains_itself_is_refused_by_the_caller(self) -> None:
        endless: list[object] = []
        endless.append(endless)
        async with running(victim()) as service:
            with pytest.raises(BadRequest, match="contains itself"):
                await service.call(ECHO, endless)

    async def test_one_caller_has_only_so_many_streams(self) -> None:
        async with running(victim(max_streams=2)) as service, Bus(private_redis_url()) as other:
            streams = [service.stream(FOR_EVER) for _ in range(2)]
            for stream in streams:
                assert await anext(stream) == 0
            with pytest.raises(TooManyRequests, match="2 streams"):
                await anext(service.stream(FOR_EVER))
            elsewhere = other.stream(FOR_EVER)
            assert await anext(elsewhere) == 0
            await streams[0].aclose()

            async def has_room() -> bool:
                streams[0] = service.stream(FOR_EVER)
                try:
                    return await anext(streams[0]) == 0
                except TooManyRequests:
                    return False

            await until(has_room)
            for stream in (*streams, elsewhere):
                await stream.aclose()

    async def test_credit_that_is_no_number_is_not_heeded(self) -> None:
        async with running(victim()) as service, attacker() as (redis, _):
            stream = service.stream(FOR_EVER)
            assert await anext(stream) == 0
            ((_, fields),) = await redis.xrange(action_stream("victim", "for_ever"))
            request_id = json.loads(fields[b"request"])["request_id"].encode()
            for text in (b" " + b"9" * 5000, b" -1", b" x", b" \xff", b"  "):
                await redis.publish(control_channel("victim"), request_id + text)
            assert await service.call(ECHO, 1) == 1
            assert await redis.xlen(action_stream("victim", "for_ever")) == 1
            await stream.aclose()


class TestReplies:
    async def test_forged_ones_break_no_other_call(self, caplog: pytest.LogCaptureFixture) -> None:
        async with running(victim()), Bus(private_redis_url()) as bus, attacker() as (redis, _):
            assert await bus.call(ECHO, 0) == 0
            channels: list[bytes] = await redis.pubsub_channels("daebus:reply:*")
            forged = (b"", b"\xff", b"[" * 100_000, b'{"status":"success"}', b'{"request_id":1}', b"x" * 100_000)
            calls = [asyncio.create_task(bus.call(ECHO, number)) for number in range(50)]
            for channel in channels:
                for reply in forged:
                    await redis.publish(channel, reply)
            assert await asyncio.gather(*calls) == list(range(50))
        assert not [record for record in caplog.records if record.exc_info]

    async def test_a_stream_that_heeds_no_credit_is_given_up(self) -> None:
        async with running(victim()) as service, attacker() as (redis, _):
            stream = service.stream(FOR_EVER)
            assert await anext(stream) == 0
            ((_, fields),) = await redis.xrange(action_stream("victim", "for_ever"))
            asked = json.loads(fields[b"request"])
            reply = json.dumps({"status": "success", "payload": 1, "request_id": asked["request_id"], "final": False})
            pipeline = redis.pipeline(transaction=False)
            for _ in range(11_000):
                pipeline.publish(asked["reply_to"], reply)
            await pipeline.execute()
            assert await service.call(ECHO, "after the flood") == "after the flood"
            with pytest.raises(Unavailable, match="sent more items than were requested"):
                await _exhaust(stream)


class TestEvents:
    async def test_what_cannot_be_one_is_buried_and_stops_nothing(self) -> None:
        app, heard = victim(max_message_size=1000), list[str]()

        @app.listen(KEPT)
        async def on_kept(event: Note) -> None:
            heard.append(event.text)

        async with running(app) as service, attacker() as (redis, _):
            key = channel_stream("kept")
            await redis.xadd(key, {"nothing": b"\xff"})
            await redis.xadd(key, {"event": b'{"text":"' + b"x" * 1001 + b'"}', "trace_id": "t"})
            await redis.xadd(key, {"event": b'{"text":"whose trace is no text"}', "trace_id": b"\xff\xfe"})
            await service.publish(KEPT, Note("honest"))
            await until(lambda: len(heard) == 2)
            errors = await buried(redis, 2)
            codes = {fields[b"code"] for _, fields in await redis.xrange(dead_letters("victim"))}
        assert heard == ["whose trace is no text", "honest"]
        assert len(errors) == 2
        assert codes == {b"bad_request", b"too_large"}

    async def test_those_that_wait_for_a_slow_listener_have_a_limit_in_bytes(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, free = victim(Settings(max_concurrency=1)), asyncio.Event()

        @app.listen(NOTES)
        async def on_note(event: Note) -> None:
            await free.wait()

        async with running(app), attacker() as (redis, _):
            await redis.publish("notes", b'{"text":"it keeps the listener busy"}')
            for _ in range(70):
                await redis.publish("notes", b"x" * 1_000_000)
            await until(lambda: "events lost" in caplog.text, 20)
            free.set()


class TestHttp:
    async def test_a_body_that_does_not_come_is_waited_for_only_so_long(self) -> None:
        app = victim()
        app.attach(DaebusHttp(limits=HttpLimits(body_timeout=0.3)))
        app.attach(DaebusWebSocket())

        @app.route("/notes", methods=["POST"])
        async def post_note(data: Note) -> Note:
            return data

        @app.socket("echo")
        async def echo(data: str) -> str:
            return data

        async with running(app) as service, service.socket() as socket:
            reader, writer = await asyncio.open_connection("127.0.0.1", service.ports["http"])
            writer.write(b"POST /notes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{")
            honest = await service.http.post("/notes", json={"text": "x"})
            assert (honest.status_code, honest.json()) == (200, {"text": "x"})
            answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"request_timeout"' in answer
            assert b"did not come within 0.3 s" in answer
            writer.close()
            assert (await socket.ask("echo", "x")).data == msgspec.Raw(b'"x"')  # it is older, and no body

    async def test_nesting_is_a_bad_request(self) -> None:
        app = victim()
        app.attach(DaebusHttp())
        app.attach(DaebusWebSocket())

        @app.route("/anything", methods=["POST"])
        async def post_anything(data: dict[str, object]) -> dict[str, object]:
            return data

        deep = '{"a":' * 10_000 + "1" + "}" * 10_000
        async with running(app) as service, service.socket() as socket:
            answer = await service.http.post("/anything", content=deep, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
            await socket.connection.send(f'{{"type":"echo","data":{deep}}}')
            assert b'"bad_request"' in bytes((await socket.receive()).data)
