from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.engines import free_port
from tests.support import until

from daebus.errors import ServiceError, StartupError
from daebus.server.limits import ServerLimits
from daebus.server.ports import reserve_port
from daebus.server.server import HttpServer
from daebus.telemetry.logs import make_logger

App = Callable[[Any, Any, Any], Awaitable[None]]


class Site:
    """An ASGI app that can be told to be slow."""

    def __init__(self, answer: bytes = b"ok") -> None:
        self.answer = answer
        self.gate = asyncio.Event()
        self.waiting = 0
        self.cancelled = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if path == "/slow":
            await self._wait()
        elif path == "/stubborn":
            while not self.gate.is_set():
                try:
                    await self._wait()
                except asyncio.CancelledError:
                    continue
        elif path == "/broken":
            raise RuntimeError("the app is broken")
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if path == "/half":
            await send({"type": "http.response.body", "body": b"the beginning", "more_body": True})
            await self._wait()
        await send({"type": "http.response.body", "body": self.answer})

    async def _wait(self) -> None:
        self.waiting += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1


@asynccontextmanager
async def serving(app: App, host: str = "127.0.0.1", port: int = 0, *, share: bool = False) -> AsyncGenerator[str]:
    server = HttpServer(app, host=host, port=port, logger=make_logger(), share_port=share)
    real = await server.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{real}"
    finally:
        await server.stop(1)


async def get(url: str) -> str:
    async with httpx.AsyncClient(verify=False) as client:  # to load the certificates would take longer than the test
        return (await client.get(url)).text


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def open_things() -> tuple[int, int]:
    """How many descriptors and native threads the process has."""
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """No thread stays, and signals and logging are as they were."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    root = logging.getLogger()
    logs = (list(root.handlers), root.level, logging.getLogger("daebus").level)
    known = {thread.native_id for thread in threading.enumerate()}
    before = {int(name) for name in os.listdir("/proc/self/task")} | known
    yield
    assert {number: signal.getsignal(number) for number in signals} == signals
    assert (list(root.handlers), root.level, logging.getLogger("daebus").level) == logs
    # A thread that was joined, such as one of asyncio's that looked up a name, is there for a moment yet.
    deadline = time.monotonic() + 2
    while not {int(name) for name in os.listdir("/proc/self/task")} <= before:
        assert time.monotonic() < deadline, "a thread stays"
        time.sleep(0.001)


class TestBodies:
    async def test_who_gives_up_waiting_is_told_apart_from_a_body_that_is_late(self) -> None:
        found: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                async with asyncio.timeout(0.05):
                    await receive()
            except TimeoutError:
                found.append("gave up")
            try:
                await receive()
            except ServiceError as error:
                found.append(error.code)
            await Site()(scope, receive, send)

        server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger(), limits=ServerLimits(body_timeout=0.3))
        reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 200 ")
        assert found == ["gave up", "request_timeout"]
        writer.close()
        await writer.wait_closed()
        await server.stop(0.1)

    @pytest.mark.parametrize(
        "sent", [b"content-length: 4\r\n\r\nbody", b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
    )
    async def test_all_of_a_body_and_then_the_end_of_the_connection(self, sent: bytes) -> None:
        bodies: list[bytes] = []
        after: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            bodies.append(body)
            if scope["path"] == "/stay":
                after.append((await receive())["type"])
            await Site()(scope, receive, send)

        async with serving(app) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
            for _ in range(3):
                writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n" + sent)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 10)
                assert answer.startswith(b"HTTP/1.1 200 ")
            writer.write(b"POST /stay HTTP/1.1\r\nhost: x\r\n" + sent)
            await until(lambda: len(bodies) == 4)
            assert after == []
            writer.close()
            await writer.wait_closed()
            await until(lambda: after == ["http.disconnect"])
        assert bodies == [b"body"] * 4

    async def test_who_gives_up_waiting_after_the_body_does_not_take_the_client_for_gone(self) -> None:
        found: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["more_body"]:
                pass
            for _ in range(3):
                waiting = asyncio.create_task(receive())
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
            waiting = asyncio.create_task(receive())
            await asyncio.wait({waiting}, timeout=0.02)
            found.append("waits" if waiting.cancel() else str(waiting.result()))
            await Site()(scope, receive, send)

        async with serving(app) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
            for _ in range(20):
                writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody")
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 10)
            writer.close()
            await writer.wait_closed()
        assert found == ["waits"] * 20

    async def test_a_body_that_has_a_length_ends_with_its_last_byte(self) -> None:
        messages: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while not messages or messages[-1]["more_body"]:
                messages.append(await receive())
            await Site()(scope, receive, send)

        async with serving(app) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbo")
            await until(lambda: len(messages) == 1)
            writer.write(b"dy")
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 10)
            writer.close()
            await writer.wait_closed()
        assert [(message["body"], message["more_body"]) for message in messages] == [(b"bo", True), (b"dy", False)]

    async def test_who_is_cancelled_while_a_body_is_late_is_cancelled(self) -> None:
        found: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            waiting = asyncio.create_task(receive())
            await until(lambda: [*server.bodies])
            for exchange in server.bodies:
                exchange.expire()
            waiting.cancel()
            await asyncio.wait({waiting})
            found.append("cancelled" if waiting.cancelled() else repr(waiting.exception()))
            await Site()(scope, receive, send)

        server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger())
        reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\nok"), 10)
        writer.close()
        await writer.wait_closed()
        await server.stop(0.1)
        assert found == ["cancelled"]


class TestStart:
    async def test_a_free_port_is_found_and_told(self) -> None:
        async with serving(Site()) as url:
            assert port_of(url) > 0
            assert await get(url) == "ok"

    async def test_connections_are_accepted_when_start_returns(self) -> None:
        for _ in range(10):
            server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
            port = await server.start()
            with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
                pass
            await server.stop(1)

    async def test_the_port_that_was_asked_for(self) -> None:
        port = free_port()
        async with serving(Site(), port=port) as url:
            assert port_of(url) == port

    async def test_a_host_name(self) -> None:
        async with serving(Site(), host="localhost") as url:
            assert await get(url) == "ok"
            assert await get(url.replace("localhost", "127.0.0.1")) == "ok"

    async def test_ipv6(self) -> None:
        async with serving(Site(), host="::1") as url:
            assert await get(url) == "ok"

    async def test_all_interfaces(self) -> None:
        async with serving(Site(), host="0.0.0.0") as url:
            assert await get(url.replace("0.0.0.0", "127.0.0.1")) == "ok"

    async def test_a_port_that_is_taken_by_a_socket(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(StartupError) as refused:
                await HttpServer(Site(), host="127.0.0.1", port=port, logger=make_logger()).start()
        text = str(refused.value)
        assert text == (
            f"Cannot listen on 127.0.0.1:{port}: another process has the port. Stop it, or choose another port."
        )

    async def test_a_port_that_is_taken_by_another_server_of_ours(self) -> None:
        async with serving(Site(b"first")) as url:
            for host in ("127.0.0.1", "0.0.0.0"):
                with pytest.raises(StartupError, match="another process has the port"):
                    await HttpServer(Site(), host=host, port=port_of(url), logger=make_logger()).start()
            assert await get(url) == "first"

    async def test_a_port_that_is_taken_by_one_who_shares_it(self) -> None:
        async with serving(Site(b"first"), share=True) as url:
            with pytest.raises(StartupError, match="another process has the port"):
                await HttpServer(Site(), host="127.0.0.1", port=port_of(url), logger=make_logger()).start()

    async def test_a_host_that_is_not_ours(self) -> None:
        with pytest.raises(StartupError, match=r"203\.0\.113\.1 is no address of this machine\. Use 0\.0\.0\.0"):
            await HttpServer(Site(), host="203.0.113.1", port=0, logger=make_logger()).start()

    async def test_a_host_that_is_not_known(self) -> None:
        with pytest.raises(StartupError, match="Cannot listen on no such host:80: the host is not known"):
            await HttpServer(Site(), host="no such host", port=80, logger=make_logger()).start()

    def test_a_privileged_port(self) -> None:
        code = (
            "import asyncio, os, socket\n"
            "from daebus.telemetry.logs import make_logger\n"
            "from daebus.server.server import HttpServer\n"
            "socket.getaddrinfo('127.0.0.1', 81)  # loads what it needs while it may\n"
            "os.setuid(65534)\n"
            "asyncio.run(HttpServer(None, host='127.0.0.1', port=81, logger=make_logger()).start())"
        )
        if os.getuid() != 0 or Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip() != "1024":
            pytest.skip("only where privileged ports exist, and root can give up its privileges")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "Cannot listen on 127.0.0.1:81: ports below 1024 need privileges" in done.stderr

    async def test_a_port_in_time_wait_is_free(self) -> None:
        port = free_port()
        for _ in range(3):
            async with serving(Site(), port=port) as url:
                # The server closes the connection, so the TIME_WAIT is on its side.
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                assert await reader.read()
                writer.close()
                await writer.wait_closed()
                assert await get(url) == "ok"

    async def test_a_failed_start_leaves_nothing_behind(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            before = open_things()
            for _ in range(5):
                server = HttpServer(Site(), host="127.0.0.1", port=other.getsockname()[1], logger=make_logger())
                with pytest.raises(StartupError):
                    await server.start()
                await server.stop(1)
            assert open_things() == before


class TestSeveral:
    async def test_two_at_once(self) -> None:
        async with serving(Site(b"one")) as first, serving(Site(b"two")) as second:
            assert (await get(first), await get(second)) == ("one", "two")

    async def test_one_after_another_without_leaks(self) -> None:
        async with serving(Site()) as url:
            await get(url)
        before = open_things()
        for _ in range(5):
            async with serving(Site()) as url:
                assert await get(url) == "ok"
        assert open_things() == before

    async def test_one_goes_on_when_the_other_stops(self) -> None:
        async with serving(Site(b"one")) as first:
            async with serving(Site(b"two")) as second:
                assert await get(second) == "two"
            assert await get(first) == "one"

    async def test_a_shared_port(self) -> None:
        with closing(reserve_port("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
            # The reservation itself takes no connections.
            with pytest.raises(ConnectionRefusedError), closing(socket.create_connection(("127.0.0.1", port))):
                pass
            one, two = serving(Site(b"one"), port=port, share=True), serving(Site(b"two"), port=port, share=True)
            async with one as first, two as second:
                assert first == second
                answers = {await get(first) for _ in range(40)}
                assert answers == {"one", "two"}

    async def test_a_reserved_port_is_taken_for_all_others(self) -> None:
        with closing(reserve_port("127.0.0.1", 0)) as reserved:
            port = reserved.getsockname()[1]
            async with serving(Site(), port=port, share=True):
                with pytest.raises(StartupError, match="another process has the port"):
                    reserve_port("127.0.0.1", port)

    async def test_many_idle_connections_do_not_keep_others_out(self) -> None:
        async with serving(Site()) as url:
            idle = [await asyncio.open_connection("127.0.0.1", port_of(url)) for _ in range(300)]
            assert await get(url) == "ok"
            for _, writer in idle:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for _, writer in idle))


class TestStop:
    async def test_a_request_in_flight_is_answered(self) -> None:
        site = Site()
        server = HttpServer(site, host="127.0.0.1", port=0, logger=make_logger())
        url = f"http://127.0.0.1:{await server.start()}"
        request = asyncio.create_task(get(f"{url}/slow"))
        await until(lambda: site.waiting == 1)
        stopping = asyncio.create_task(server.stop(5))
        await until(lambda: not accepts(url))
        assert not stopping.done()
        site.gate.set()
        assert await request == "ok"
        await stopping
        assert site.cancelled == 0

    async def test_a_connection_that_was_opened_before_is_answered_and_closed(self) -> None:
        server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
        reader, writer = await asyncio.open_connection("127.0.0.1", await server.start())
        stopping = asyncio.create_task(server.stop(5))
        await until(lambda: server.is_leaving)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await reader.read()  # to the end of the connection
        assert b"connection: close" in answer.lower()
        assert answer.endswith(b"ok")
        await stopping
        writer.close()
        await writer.wait_closed()

    async def test_idle_connections_are_closed(self) -> None:
        server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
        port = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\nok")
        begun = time.monotonic()
        await server.stop(5)
        assert time.monotonic() - begun < 1
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    async def test_a_hung_request_is_cut_off_after_the_grace(self, caplog: pytest.LogCaptureFixture) -> None:
        site = Site()
        server = HttpServer(site, host="127.0.0.1", port=0, logger=make_logger())
        url = f"http://127.0.0.1:{await server.start()}"
        async with httpx.AsyncClient(verify=False) as client:
            request = asyncio.create_task(client.get(f"{url}/slow"))
            await until(lambda: site.waiting == 1)
            begun = time.monotonic()
            await server.stop(0.2)
            assert 0.2 <= time.monotonic() - begun < 1
            response = await request
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "unavailable"
        assert site.cancelled == 1
        (told,) = [record.getMessage() for record in caplog.records]
        assert told.startswith("requests cut off by the stop requests=1")
        assert "test_server.py" in told  # where the handler waited

    async def test_a_response_that_has_begun_is_cut_off_too(self) -> None:
        site = Site()
        server = HttpServer(site, host="127.0.0.1", port=0, logger=make_logger())
        url = f"http://127.0.0.1:{await server.start()}"
        request = asyncio.create_task(get(f"{url}/half"))
        await until(lambda: site.waiting == 1)
        await server.stop(0)
        with pytest.raises(httpx.RemoteProtocolError):
            await request

    async def test_a_handler_that_refuses_to_be_cancelled_does_not_hold_up_the_stop(self) -> None:
        _, threads = open_things()
        site = Site()
        server = HttpServer(site, host="127.0.0.1", port=0, logger=make_logger())
        url = f"http://127.0.0.1:{await server.start()}"
        request = asyncio.create_task(get(f"{url}/stubborn"))
        await until(lambda: site.waiting == 1)
        begun = time.monotonic()
        await server.stop(0)
        assert time.monotonic() - begun < 2
        site.gate.set()
        assert await request == "ok"
        await until(lambda: open_things()[1] <= threads)

    async def test_half_a_request_does_not_hold_up_the_stop(self) -> None:
        _, threads = open_things()
        server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
        port = await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhos")
        await writer.drain()
        assert await get(f"http://127.0.0.1:{port}") == "ok"
        begun = time.monotonic()
        await server.stop(0.1)
        assert time.monotonic() - begun < 2
        writer.close()
        await writer.wait_closed()
        del reader
        await until(lambda: open_things()[1] <= threads)

    async def test_an_app_that_keeps_its_side_of_a_request_does_not_hold_up_the_stop(self) -> None:
        kept: list[Callable[..., Awaitable[Any]]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            kept.extend([receive, send])
            await Site()(scope, receive, send)

        server = HttpServer(app, host="127.0.0.1", port=0, logger=make_logger())
        assert await get(f"http://127.0.0.1:{await server.start()}") == "ok"
        begun = time.monotonic()
        await server.stop(1)
        assert time.monotonic() - begun < 0.5
        receive, send = kept
        with pytest.raises(RuntimeError, match="The request is over"):
            await receive()
        with pytest.raises(RuntimeError, match="The request is over"):
            await send({})

    async def test_stopping_twice_or_before_the_start_does_nothing(self) -> None:
        server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
        await server.stop(1)
        await server.start()
        await server.stop(1)
        await server.stop(1)

    async def test_it_can_be_started_again(self) -> None:
        server = HttpServer(Site(), host="127.0.0.1", port=0, logger=make_logger())
        for _ in range(2):
            assert await get(f"http://127.0.0.1:{await server.start()}") == "ok"
            await server.stop(1)

    def test_the_process_ends_well(self) -> None:
        # Granian's threads once wanted the GIL of an interpreter that was gone: SIGABRT, in one run of three.
        code = (
            "import asyncio\n"
            "from daebus.telemetry.logs import make_logger\n"
            "from daebus.server.server import HttpServer\n"
            "async def app(scope, receive, send):\n"
            "    await send({'type': 'http.response.start', 'status': 204, 'headers': []})\n"
            "    await send({'type': 'http.response.body', 'body': b''})\n"
            "async def main():\n"
            "    server = HttpServer(app, host='127.0.0.1', port=0, logger=make_logger())\n"
            "    port = await server.start()\n"
            "    reader, writer = await asyncio.open_connection('127.0.0.1', port)\n"
            "    writer.write(b'GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n\\r\\n')\n"
            "    assert b'204' in await reader.read()\n"
            "    writer.close()\n"
            "    await writer.wait_closed()\n"
            "    await server.stop(1)\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-W", "error", "-c", code]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
        ends = [(run.communicate()[0], run.returncode) for run in runs]
        assert ends == [(b"", 0)] * 2


class TestLogs:
    async def test_an_app_that_fails_is_logged_through_our_loggers(self, caplog: pytest.LogCaptureFixture) -> None:
        async with serving(Site()) as url, httpx.AsyncClient(verify=False) as client:
            assert (await client.get(f"{url}/broken")).status_code == 500
            await until(lambda: bool(caplog.records))
        (record,) = caplog.records
        assert record.name.startswith("_granian")
        assert "the app is broken" in caplog.text

    async def test_granian_says_nothing_of_its_own(self, capfd: pytest.CaptureFixture[str]) -> None:
        async with serving(Site()) as url:
            await get(url)
        assert capfd.readouterr() == ("", "")


def accepts(url: str) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", port_of(url)), timeout=1)):
            return True
    except ConnectionRefusedError:
        return False
