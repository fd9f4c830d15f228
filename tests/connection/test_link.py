import asyncio
import gc
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engines import Engine, free_port
from tests.support import until

from daebus.connection.blocking_link import BlockingLink
from daebus.connection.outages import NotSent
from daebus.connection.redis_server import RedisServer
from daebus.connection.resp import CommandError, Reply, is_busy_group, is_missing_group, is_missing_script
from daebus.connection.scripts import Script
from daebus.connection.server_link import ServerLink
from daebus.connection.subscriber import Subscriber
from daebus.core.timings import Timings
from daebus.errors import ConfigurationError, StartupError, Unavailable


async def eventually(attempt: Callable[[], Awaitable[Reply]], seconds: float = 5) -> Reply:
    """The first reply that is not `Unavailable`."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await attempt()
            except Unavailable:
                await asyncio.sleep(0.005)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def server(engine: Engine) -> RedisServer:
    return RedisServer.from_url(engine.url)


@pytest.fixture
async def link(server: RedisServer) -> AsyncIterator[ServerLink]:
    async with open_link(server) as link:
        yield link


@pytest.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    gc.collect()  # an unclosed socket warns here, and a warning is an error
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


@asynccontextmanager
async def open_link(
    server: RedisServer,
    *,
    on_connect: Callable[[], Awaitable[None] | None] | None = None,
    patience: float = 5,
    ping: float = 10,
) -> AsyncGenerator[ServerLink]:
    link = ServerLink(replace(server, timings=Timings(patience=patience, ping=ping)), on_connect=on_connect)
    await link.start()
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def open_subscriber(server: RedisServer, *, patience: float = 5, ping: float = 10) -> AsyncGenerator[Subscriber]:
    subscriber = Subscriber(replace(server, timings=Timings(patience=patience, ping=ping)))
    await subscriber.start()
    try:
        yield subscriber
    finally:
        await subscriber.close()


@asynccontextmanager
async def listening(answer: bytes | None) -> AsyncGenerator[int]:
    """The port of something that is no Redis: it sends `answer` and closes; None: it never answers."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is None:
            await gone.wait()
        else:
            writer.write(answer)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        gone.set()


# --- the URL --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", "redis://localhost:6379/0"),
        ("redis://localhost:7000/3", "redis://localhost:7000/3"),
        ("redis://localhost?db=4&socket_timeout=1", "redis://localhost:6379/4"),
        ("redis://:s3cret@localhost", "redis://localhost:6379/0"),
        ("redis://svc:s3cret@localhost", "redis://svc@localhost:6379/0"),
        ("redis://s3cret@localhost", "redis://localhost:6379/0"),
        ("rediss://[::1]:7000/0", "rediss://[::1]:7000/0"),
        ("redis://h?max_connections=5", "redis://h:6379/0"),
        (
            "redis+sentinel://u:s3cret@a,b:7000/main/2?sentinel_password=s3cret",
            "redis+sentinel://u@a:26379,b:7000/main/2",
        ),
        ("rediss+cluster://:s3cret@a,[::1]:7000", "rediss+cluster://a:6379,[::1]:7000"),
        ("unix:///run/redis.sock?db=1&password=s3cret", "unix:///run/redis.sock"),
    ],
)
def test_address_is_the_url_without_its_password(url: str, address: str) -> None:
    server = RedisServer.from_url(url)
    assert server.address == address
    assert "s3cret" not in repr(server)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "does not start with redis://"),
        ("localhost:6379", "does not start with redis://"),
        ("redis:localhost:6379", "does not start with redis://"),
        ("http://localhost:6379", "does not start with redis://"),
        ("redis://localhost:http", "host or a port"),
        ("redis://localhost:70000", "host or a port"),
        ("redis://localhost:0", "port 0"),
        ("redis://[::1:6379", "host or a port"),
        ("redis://localhost/first", "database that is not a number"),
        ("redis://localhost/0/1", "database that is not a number"),
        ("redis://localhost?db=first", "'db'"),
        ("redis://localhost?colour=red", "'colour'"),
        ("redis://localhost?colour", "name=value"),
        ("rediss://localhost?ssl_cert_reqs=perhaps", "perhaps"),
        ("unix://", "no path"),
        ("redis:///0", "no host"),
        ("redis://a,b/0", "names several servers"),
        ("redis://localhost?socket_timeot=1", "'socket_timeot'; did you mean 'socket_timeout'?"),
        ("sentinel://localhost/main", "did you mean redis+sentinel://?"),
        ("rediss+clutser://localhost", "did you mean rediss+cluster://?"),
        ("redis+sentinel://localhost", "does not name the primary"),
        ("redis+cluster://localhost/3", "a cluster has only 0"),
        ("redis://localhost?sentinel_password=x", "options for a Sentinel"),
    ],
)
def test_bad_url_is_told_in_one_line_with_an_example(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisServer.from_url(url)
    text = str(caught.value)
    assert problem in text
    assert "redis://:PASSWORD@localhost:6379/0" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "url",
    ["redis://:s3/cr3t@h", "redis://u:s3#cr3t@h:1", "redis://u:1?cr3t@h", "http://:cr3t@h", "unix://?password=cr3t@"],
)
def test_bad_url_never_shows_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisServer.from_url(url)
    assert "cr3t" not in str(caught.value)
    assert "percent-encoded" in str(caught.value)


# --- the check before a start ---------------------------------------------------------------------------------------


async def test_check_passes_on_socket_and_port(engine: Engine) -> None:
    await RedisServer.from_url(engine.url).check()
    await RedisServer.from_url(engine.tcp_url).check()
    await RedisServer.from_url(f"redis://localhost:{engine.port}/3").check()


async def refusal(url: str) -> str:
    with pytest.raises(StartupError) as caught:
        await RedisServer.from_url(url).check()
    text = str(caught.value)
    assert "\n" not in text
    assert RedisServer.from_url(url).address in text
    return text


async def test_check_names_a_closed_port() -> None:
    assert "is not reachable: Connection refused" in await refusal(f"redis://127.0.0.1:{free_port()}/0")
    assert "is not reachable: Connection refused" in await refusal(f"redis://localhost:{free_port()}/0")


async def test_check_names_a_missing_socket(tmp_path: Path) -> None:
    assert "No such file or directory" in await refusal(f"unix://{tmp_path}/none.sock")


async def test_check_names_an_unknown_host() -> None:
    assert "is not reachable: " in await refusal("redis://no-such-host.invalid:6379/0")


async def test_check_tells_an_http_server_from_redis() -> None:
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not speak the Redis protocol" in await refusal(f"redis://127.0.0.1:{port}/0")


async def test_check_names_a_server_that_hangs_up() -> None:
    async with listening(b"") as port:
        assert "closed the connection" in await refusal(f"redis://127.0.0.1:{port}/0")


async def test_check_names_a_server_that_never_answers() -> None:
    async with listening(None) as port:
        assert "did not answer in time" in await refusal(f"redis://127.0.0.1:{port}/0?socket_timeout=0.1")


async def test_check_names_missing_tls(engine: Engine) -> None:
    url = engine.tcp_url.replace("redis", "rediss")
    assert "scheme of the URL right?" in await refusal(f"{url}?socket_connect_timeout=0.2")


async def test_check_names_tls_that_the_other_side_does_not_speak() -> None:
    async with listening(b"-ERR unknown command\r\n") as port:
        assert "failed the TLS handshake" in await refusal(f"rediss://127.0.0.1:{port}/0")


async def test_check_names_an_unknown_database(engine: Engine) -> None:
    assert "DB index is out of range" in await refusal(f"redis://127.0.0.1:{engine.port}/99")


@pytest.mark.parametrize("transport", ["socket", "port"])
async def test_check_names_a_wrong_and_a_missing_password(tmp_path: Path, transport: str) -> None:
    with Engine(tmp_path, "--requirepass", "right") as engine:
        plain = engine.url if transport == "socket" else engine.tcp_url
        assert "asks for a password" in await refusal(plain)
        assert "refused the user or the password" in await refusal(plain.replace("://", "://:s3cr3t@"))
        assert "s3cr3t" not in await refusal(plain.replace("://", "://default:s3cr3t@"))
        await RedisServer.from_url(plain.replace("://", "://:right@")).check()
        async with open_link(RedisServer.from_url(plain.replace("://", "://default:right@"))) as link:
            assert await link.execute("PING") == b"PONG"


async def test_a_password_that_nobody_asked_for_is_refused(engine: Engine) -> None:
    assert "refused the user or the password" in await refusal(engine.tcp_url.replace("://", "://:any@"))


async def test_client_is_an_ordinary_redis_client(server: RedisServer) -> None:
    client = server.client()
    try:
        await client.set("key", "value")
        assert await client.get("key") == b"value"
    finally:
        await client.aclose()


# --- commands -------------------------------------------------------------------------------------------------------


async def test_replies_come_in_order_under_interleaved_commands(link: ServerLink) -> None:
    async def caller(name: int) -> None:
        for turn in range(100):
            text = f"{name}:{turn}".encode()
            assert await link.execute("ECHO", text) == text

    await asyncio.gather(*[caller(name) for name in range(100)])


async def test_replies_to_commands_that_are_issued_together_come_together(
    server: RedisServer, link: ServerLink
) -> None:
    answered: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
    link.issue_all([("SET", "key", 1), ("GET", "key"), ("LPUSH", "key", 1)], answered.set_result)
    first, second, third = await answered
    assert (first, second, isinstance(third, CommandError)) == (b"OK", b"1", True)
    never = ServerLink(server)
    unsent: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
    never.issue_all([("GET", "key"), ("GET", "key")], unsent.set_result)
    assert [type(reply) for reply in unsent.result()] == [NotSent, NotSent]


async def test_commands_run_in_the_order_of_their_issue(link: ServerLink) -> None:
    assert await asyncio.gather(*[link.execute("INCR", "counter") for _ in range(1000)]) == list(range(1, 1001))


async def test_arguments_and_replies_of_every_type(link: ServerLink) -> None:
    await link.execute("RPUSH", "list", "é", b"\x00\r\n", 7, 2.5)
    assert await link.execute("LRANGE", "list", 0, -1) == ["é".encode(), b"\x00\r\n", b"7", b"2.5"]
    assert await link.execute("GET", "nothing") is None
    assert await link.execute("HGETALL", "nothing") == []
    with pytest.raises(TypeError):
        link.execute("SET", "key", None)  # type: ignore[arg-type]  # what an untyped caller would do
    assert await link.execute("PING") == b"PONG"


async def test_large_values_pass(link: ServerLink) -> None:
    value = os.urandom(5_000_000)
    assert await link.execute("SET", "large", value) == b"OK"
    assert await link.execute("GET", "large") == value


async def test_cancelled_callers_leave_the_others_their_replies(link: ServerLink) -> None:
    async def caller(name: int) -> None:
        text = str(name).encode()
        future = link.execute("ECHO", text)
        if name % 3 == 0:
            future.cancel()
        elif name % 3 == 1:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(future, 0)
        else:
            assert await future == text

    await asyncio.gather(*[caller(name) for name in range(3000)])
    assert await link.execute("ECHO", "after") == b"after"


async def test_an_error_reply_concerns_its_command_alone(link: ServerLink) -> None:
    await link.execute("SET", "text", "no number")
    before, wrong, after = await asyncio.gather(
        link.execute("PING"), link.execute("INCR", "text"), link.execute("PING"), return_exceptions=True
    )
    assert before == after == b"PONG"
    assert isinstance(wrong, CommandError)
    assert wrong.code == "ERR"


async def test_errors_inside_exec_stand_in_the_list(link: ServerLink) -> None:
    commands = [("MULTI",), ("SET", "text", "x"), ("INCR", "text"), ("EXEC",)]
    *_, replies = await asyncio.gather(*[link.execute(*command) for command in commands])
    assert isinstance(replies, list)
    assert replies[0] == b"OK"
    assert isinstance(replies[1], CommandError)


async def test_predicates_know_their_errors(link: ServerLink) -> None:
    with pytest.raises(CommandError) as missing:
        await link.execute("XREADGROUP", "GROUP", "g", "me", "STREAMS", "stream", ">")
    await link.execute("XGROUP", "CREATE", "stream", "g", "0", "MKSTREAM")
    with pytest.raises(CommandError) as busy:
        await link.execute("XGROUP", "CREATE", "stream", "g", "0", "MKSTREAM")
    with pytest.raises(CommandError) as unknown:
        await link.execute("EVALSHA", "0" * 40, 0)
    errors = [missing.value, busy.value, unknown.value]
    assert [is_missing_group(error) for error in errors] == [True, False, False]
    assert [is_busy_group(error) for error in errors] == [False, True, False]
    assert [is_missing_script(error) for error in errors] == [False, False, True]


async def test_a_script_is_sent_once_and_again_when_the_server_forgot_it(link: ServerLink) -> None:
    script = Script("return {KEYS[1], ARGV[1] + 1}")
    for _ in range(2):
        assert await link.script(script, ["key"], [4]) == [b"key", 5]
    assert await link.execute("SCRIPT", "EXISTS", script.sha) == [1]
    await link.execute("SCRIPT", "FLUSH")
    assert await link.script(script, ["key"], [4]) == [b"key", 5]
    with pytest.raises(CommandError):
        await link.script(Script("return redis.call('INCRBY', KEYS[1], 'x')"), ["key"], [])


async def test_a_server_busy_with_a_script_is_unavailable(server: RedisServer) -> None:
    async with open_link(server) as link, open_link(server) as other:
        await link.execute("CONFIG", "SET", "busy-reply-threshold", 1)
        endless = link.execute("EVAL", "while true do end", 0)
        refusals: list[Unavailable] = []

        async def refused() -> bool:
            try:
                await other.execute("GET", "key")
            except Unavailable as error:
                refusals.append(error)
            return bool(refusals)

        await until(refused)
        assert "cannot serve now: BUSY" in str(refusals[0])
        await other.execute("SCRIPT", "KILL")
        with pytest.raises(CommandError):
            await endless


# --- a connection that breaks ---------------------------------------------------------------------------------------


async def test_start_fails_in_one_line_where_no_server_is(tmp_path: Path) -> None:
    link = ServerLink(RedisServer.from_url(f"unix://{tmp_path}/none.sock"))
    with pytest.raises(Unavailable, match=r"none\.sock is not reachable: No such file"):
        await link.start()
    await link.close()


async def test_before_the_start_and_after_the_close_commands_fail(server: RedisServer) -> None:
    link = ServerLink(server)
    with pytest.raises(Unavailable, match="is not open"):
        await link.execute("PING")
    await link.start()
    assert link.connected
    await link.close()
    assert not link.connected
    with pytest.raises(Unavailable, match="is closed"):
        await link.execute("PING")


async def test_close_sends_what_was_issued(server: RedisServer, link: ServerLink) -> None:
    async with open_link(server) as short:
        issued = short.execute("SET", "last", "word")
        unanswered = short.execute("BLPOP", "nothing", 0)
    await asyncio.wait({issued})  # answered or not, it ran
    issued.exception()
    with pytest.raises(Unavailable, match="is closed"):
        await unanswered

    async def written() -> bool:
        return await link.execute("GET", "last") == b"word"

    await until(written)


async def test_a_killed_server_fails_what_is_under_way_and_is_found_again(engine: Engine, server: RedisServer) -> None:
    connects: list[Reply] = []

    async def on_connect() -> None:
        connects.append(await shared.execute("CLIENT", "SETNAME", "greeted"))

    shared = ServerLink(server, on_connect=on_connect)
    await shared.start()
    try:
        engine.freeze()
        under_way = [shared.execute("ECHO", turn) for turn in range(100)]
        await asyncio.sleep(0)
        engine.kill()
        results = await asyncio.gather(*under_way, return_exceptions=True)
        assert all(isinstance(result, Unavailable) and engine.url in str(result) for result in results)
        assert not shared.connected
        with pytest.raises(Unavailable):
            await shared.execute("PING")
        engine.start()
        assert await eventually(lambda: shared.execute("CLIENT", "GETNAME")) == b"greeted"
        assert connects == [b"OK", b"OK"]
    finally:
        await shared.close()


async def test_a_frozen_server_is_noticed_and_found_again(engine: Engine, server: RedisServer) -> None:
    async with open_link(server, patience=0.1) as link:
        assert await link.execute("PING") == b"PONG"
        engine.freeze()
        with pytest.raises(Unavailable, match=r"sent nothing for 0\.1 s"):
            await asyncio.wait_for(link.execute("PING"), 2)
        assert not link.connected
        engine.thaw()
        assert await eventually(lambda: link.execute("PING")) == b"PONG"


async def test_an_idle_link_notices_a_frozen_server(engine: Engine, server: RedisServer) -> None:
    async with open_link(server, patience=0.1, ping=0.05) as link:
        engine.freeze()
        await until(lambda: not link.connected)
        engine.thaw()
        await until(lambda: link.connected)


async def test_a_busy_loop_of_ours_is_not_taken_for_a_silent_server(server: RedisServer) -> None:
    async with open_link(server, patience=0.1) as link:
        reply = link.execute("PING")
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251  # a handler that holds the loop
        assert await reply == b"PONG"
        late = link.execute("PING")
        time.sleep(0.2)  # noqa: ASYNC251
        assert await late == b"PONG"


async def test_a_command_after_a_silence_has_all_the_patience(server: RedisServer) -> None:
    async with open_link(server, patience=0.1) as link:
        assert await link.execute("PING") == b"PONG"
        late: list[asyncio.Future[Reply]] = []
        asyncio.get_running_loop().call_soon(lambda: late.append(link.execute("PING")))
        time.sleep(0.2)  # noqa: ASYNC251  # the watch of the first command runs in the tick of the second
        await asyncio.sleep(0)
        assert await late[0] == b"PONG"


async def test_slow_commands_within_patience_pass(engine: Engine, server: RedisServer) -> None:
    async with open_link(server, patience=0.6) as link:
        for _ in range(3):
            assert await link.execute("BLPOP", "nothing", 0.25) is None


async def test_a_failed_on_connect_gives_the_connection_up(engine: Engine, server: RedisServer) -> None:
    calls = 0

    def on_connect() -> None:
        nonlocal calls
        calls += 1
        if calls in {2, 3}:
            raise LookupError("not yet")

    async with open_link(server, on_connect=on_connect) as link:
        engine.kill()
        await until(lambda: not link.connected)
        engine.start()
        await until(lambda: calls == 4 and link.connected)
        assert await link.execute("PING") == b"PONG"

    refused = ServerLink(server, on_connect=lambda: pytest.fail("no"))
    with pytest.raises(pytest.fail.Exception):
        await refused.start()
    assert not refused.connected


async def test_a_server_that_is_slow_to_read_holds_producers_back(engine: Engine, server: RedisServer) -> None:
    value = b"x" * 100_000
    replies: list[asyncio.Future[Reply]] = []

    async def produce(link: ServerLink) -> None:
        for _ in range(200):
            replies.append(link.execute("SET", "key", value))
            await link.drain()

    async with open_link(server) as link:
        engine.freeze()
        producer = asyncio.create_task(produce(link))
        held = -1
        while held != len(replies):
            held = len(replies)
            await asyncio.sleep(0.02)
        assert 0 < held < 100
        engine.thaw()
        await producer
        assert await asyncio.gather(*replies) == [b"OK"] * 200


# --- blocking reads -------------------------------------------------------------------------------------------------


async def read_group(reader: BlockingLink, milliseconds: int = 0) -> Reply:
    return await reader.execute(
        "XREADGROUP", "GROUP", "g", "me", "COUNT", 1, "BLOCK", milliseconds, "STREAMS", "stream", ">"
    )


@pytest.fixture
async def reader(server: RedisServer, link: ServerLink) -> AsyncIterator[BlockingLink]:
    await link.execute("XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM")
    reader = BlockingLink(server, "stream")
    yield reader
    await reader.close()


async def blocked_clients(link: ServerLink) -> int:
    information = await link.execute("INFO", "clients")
    assert isinstance(information, bytes)
    return int(information.partition(b"blocked_clients:")[2].split()[0])


async def blocked(link: ServerLink) -> None:
    await until(lambda: blocked_clients(link))


async def test_a_blocked_read_gets_the_entry(link: ServerLink, reader: BlockingLink) -> None:
    reading = asyncio.create_task(read_group(reader))
    await blocked(link)
    entry = await link.execute("XADD", "stream", "*", "field", "value")
    assert await reading == [[b"stream", [[entry, [b"field", b"value"]]]]]


async def test_an_interrupt_ends_a_blocked_read(link: ServerLink, reader: BlockingLink) -> None:
    await reader.interrupt(link)  # nothing runs: nothing happens
    for wait in (True, False):
        reading = asyncio.create_task(read_group(reader))
        if wait:
            await blocked(link)
        else:
            await asyncio.sleep(0)  # the command may not have left yet
        await reader.interrupt(link)
        assert await asyncio.wait_for(reading, 2) is None
    assert await read_group(reader, 1) is None


async def test_interrupts_lose_no_entry(link: ServerLink, reader: BlockingLink) -> None:
    total, seen = 300, 0
    random_ = random.Random(7)

    async def read() -> None:
        nonlocal seen
        while seen < total:
            if await read_group(reader) is not None:
                seen += 1

    async def interrupt() -> None:
        while seen < total:
            await reader.interrupt(link)
            await asyncio.sleep(random_.random() / 1000)

    async def add() -> None:
        for _ in range(total):
            await link.execute("XADD", "stream", "*", "f", "v")
            if random_.random() < 0.3:
                await asyncio.sleep(random_.random() / 500)

    async with asyncio.timeout(10):
        await asyncio.gather(read(), interrupt(), add())
    assert await link.execute("XINFO", "GROUPS", "stream")
    pending = await link.execute("XPENDING", "stream", "g")
    assert isinstance(pending, list)
    assert pending[0] == total


async def test_a_cancelled_read_takes_no_entry(link: ServerLink, reader: BlockingLink) -> None:
    reading = asyncio.create_task(read_group(reader))
    await blocked(link)
    reading.cancel()
    await asyncio.wait({reading})
    async with asyncio.timeout(5):
        while await blocked_clients(link):
            pass
    entry = await link.execute("XADD", "stream", "*", "field", "value")
    assert await read_group(reader) == [[b"stream", [[entry, [b"field", b"value"]]]]]


async def test_a_second_command_at_a_time_is_a_mistake(link: ServerLink, reader: BlockingLink) -> None:
    reading = asyncio.create_task(read_group(reader))
    await blocked(link)
    with pytest.raises(RuntimeError, match="one command at a time"):
        await read_group(reader)
    await reader.interrupt(link)
    assert await reading is None


async def test_an_error_reply_leaves_the_reader_in_order(link: ServerLink, reader: BlockingLink) -> None:
    for _ in range(2):
        with pytest.raises(CommandError) as caught:
            await reader.execute("XREADGROUP", "GROUP", "none", "me", "STREAMS", "stream", ">")
        assert is_missing_group(caught.value)
    assert await read_group(reader, 1) is None


async def test_a_reader_survives_a_restart_of_the_server(
    engine: Engine, link: ServerLink, reader: BlockingLink
) -> None:
    reading = asyncio.create_task(read_group(reader))
    await blocked(link)
    engine.kill()
    with pytest.raises(Unavailable):
        await reading
    attempts, start = 0, time.monotonic()
    while time.monotonic() < start + 0.2:
        with pytest.raises(Unavailable, match="is not reachable"):
            await read_group(reader)
        attempts += 1
    assert attempts < 12, "a reader without pauses burns the processor"
    engine.start()
    assert await eventually(lambda: reader.execute("PING")) == b"PONG"


async def test_a_reader_gives_a_frozen_server_up(engine: Engine, server: RedisServer) -> None:
    reader = BlockingLink(server, "stream", 0.05)
    try:
        assert await eventually(lambda: reader.execute("PING")) == b"PONG"
        engine.freeze()
        with pytest.raises(Unavailable, match=r"sent nothing for 0\.05 s"):
            await read_group(reader, 1)
        engine.thaw()
        assert await eventually(lambda: reader.execute("PING")) == b"PONG"
    finally:
        await reader.close()


async def test_an_interrupt_without_a_server_breaks_the_read(
    engine: Engine, server: RedisServer, reader: BlockingLink
) -> None:
    async with open_link(server, patience=0.05) as link:
        reading = asyncio.create_task(read_group(reader))
        await blocked(link)
        engine.freeze()
        await reader.interrupt(link)
        with pytest.raises(Unavailable, match="could not be interrupted"):
            await reading
        engine.thaw()


async def test_closing_a_reader_ends_its_read(link: ServerLink, reader: BlockingLink) -> None:
    reading = asyncio.create_task(read_group(reader))
    await blocked(link)
    await reader.close()
    with pytest.raises(Unavailable, match="is closed"):
        await reading
    with pytest.raises(Unavailable, match="is closed"):
        await read_group(reader)


# --- pub/sub --------------------------------------------------------------------------------------------------------


async def test_several_receivers_hear_one_channel(server: RedisServer, link: ServerLink) -> None:
    first: list[bytes] = []
    second: list[bytes] = []
    other: list[bytes] = []
    async with open_subscriber(server) as subscriber:
        leave_first = await subscriber.subscribe("news", first.append)
        leave_second = await subscriber.subscribe("news", second.append)
        await subscriber.subscribe("weather", other.append)
        assert await link.execute("PUBLISH", "news", "one") == 1
        await until(lambda: first == second == [b"one"])
        await leave_first()
        await leave_first()
        assert await link.execute("PUBLISH", "news", "two") == 1
        await until(lambda: second == [b"one", b"two"])
        await leave_second()
        assert await link.execute("PUBLISH", "news", "three") == 0
        assert await link.execute("PUBLISH", "weather", "sun") == 1
        await until(lambda: other == [b"sun"])
    assert first == [b"one"]
    assert second == [b"one", b"two"]


async def test_a_subscription_holds_when_subscribe_returns(server: RedisServer, link: ServerLink) -> None:
    async with open_subscriber(server) as subscriber:
        for turn in range(50):
            leave = await subscriber.subscribe(f"channel {turn}", lambda _: None)
            assert await link.execute("PUBLISH", f"channel {turn}", "x") == 1
            await asyncio.gather(leave(), subscriber.subscribe(f"channel {turn}", lambda _: None))
            assert await link.execute("PUBLISH", f"channel {turn}", "x") == 1


async def test_messages_come_whole_and_in_order(server: RedisServer, link: ServerLink) -> None:
    heard: list[bytes] = []
    sent = [str(turn).encode() * (turn % 50) for turn in range(5000)]
    async with open_subscriber(server, ping=0.01) as subscriber:
        await subscriber.subscribe("numbers", heard.append)
        await asyncio.gather(*[link.execute("PUBLISH", "numbers", text) for text in sent])
        await until(lambda: len(heard) == len(sent))
    assert heard == sent


async def test_a_failing_receiver_harms_no_other(server: RedisServer, link: ServerLink) -> None:
    heard: list[bytes] = []

    def fail(_: bytes) -> None:
        raise LookupError("broken receiver")

    async with open_subscriber(server) as subscriber:
        await subscriber.subscribe("news", fail)
        await subscriber.subscribe("news", heard.append)
        for text in ("one", "two"):
            await link.execute("PUBLISH", "news", text)
        await until(lambda: heard == [b"one", b"two"])


async def test_channels_are_subscribed_again_after_a_restart(engine: Engine, server: RedisServer) -> None:
    heard: list[bytes] = []
    async with open_subscriber(server) as subscriber, open_link(server) as link:
        await subscriber.subscribe("news", heard.append)
        leave = await subscriber.subscribe("old", heard.append)
        assert subscriber.gaps == 0
        engine.kill()
        await until(lambda: not subscriber.connected)
        with pytest.raises(Unavailable):
            await subscriber.subscribe("late", heard.append)
        await leave()
        engine.start()
        await until(lambda: subscriber.gaps == 1)
        assert await eventually(lambda: link.execute("PUBLISH", "news", "back")) == 1
        assert await link.execute("PUBLISH", "late", "x") == 0
        assert await link.execute("PUBLISH", "old", "x") == 0
        await until(lambda: heard == [b"back"])


async def test_a_subscriber_notices_a_frozen_server(engine: Engine, server: RedisServer) -> None:
    async with open_subscriber(server, patience=0.1, ping=0.05) as subscriber:
        await subscriber.subscribe("news", lambda _: None)
        engine.freeze()
        await until(lambda: not subscriber.connected)
        engine.thaw()
        await until(lambda: subscriber.gaps == 1)


async def test_a_cancelled_subscribe_leaves_the_channel(server: RedisServer, link: ServerLink) -> None:
    async with open_subscriber(server) as subscriber:
        subscribing = asyncio.ensure_future(subscriber.subscribe("news", lambda _: None))
        await asyncio.sleep(0)
        subscribing.cancel()
        await asyncio.wait({subscribing})
        assert await link.execute("PUBLISH", "news", "x") == 0
