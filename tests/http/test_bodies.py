"""Bodies that are made while they are sent: what they hold open, how they end, and what is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from dependency_injector import providers
from litestar import Response
from litestar.background_tasks import BackgroundTask
from litestar.dto import MsgspecDTO
from litestar.response import File, ServerSentEvent, Stream
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send
from tests.support import until

from daebus import (
    Bus,
    Channel,
    Context,
    Daebus,
    DaebusHttp,
    HttpLimits,
    PerMessage,
    ServiceContainer,
    Settings,
)
from daebus.core.context import current_context
from daebus.declare.contracts import StreamAction
from daebus.errors import NotFound
from daebus.testing import RunningService, running


class Session:
    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.is_open = True

    def use(self, what: str = "used") -> None:
        assert self.is_open, "the session is closed"
        self.log.append(what)


class Repo:
    def __init__(self, session: Session) -> None:
        self.session = session


@contextlib.contextmanager
def ending(session: Session) -> Generator[Session]:
    session.log.append("open")
    try:
        yield session
    except BaseException as error:
        session.log.append(f"roll back: {type(error).__name__}")
        raise
    else:
        session.log.append("commit")
    finally:
        session.is_open = False


async def open_session(log: list[str]) -> AsyncIterator[Session]:
    with ending(Session(log)) as session:
        yield session


def open_blocking(log: list[str]) -> Iterator[Session]:
    with ending(Session(log)) as session:
        yield session


class Container(ServiceContainer):
    log = providers.Singleton[list[str]](list)
    session = PerMessage(open_session, log=log)
    blocking = PerMessage(open_blocking, log=log)
    repo = providers.Factory(Repo, session=session)


class Site:
    """An app, and what its sessions say."""

    def __init__(self, *, http: DaebusHttp | None = None) -> None:
        self.container = Container()
        self.app = Daebus("bodies", container=self.container, settings=Settings(stop_timeout=5))
        self.app.attach(http or DaebusHttp(port=0))
        self.log = self.container.log()
        self._stack = contextlib.AsyncExitStack()

    async def run(self) -> RunningService:
        return await self._stack.enter_async_context(running(self.app))

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    yield site
    await site.close()


def lines_of(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    return [
        {**cast("dict[str, object]", record.msg), "exc_info": record.exc_info}
        for record in caplog.records
        if isinstance(record.msg, dict) and cast("dict[str, object]", record.msg).get("event") == event
    ]


async def test_a_stream_uses_its_session_until_the_last_byte(site: Site) -> None:
    @site.app.route("/x")
    async def show(*, session: Session, repo: Repo) -> Stream:
        async def body() -> AsyncIterator[str]:
            for number in range(3):
                assert site.container.session() is session is repo.session is site.container.repo().session
                session.use(f"row {number}")
                yield f"{number}\n"
                await asyncio.sleep(0)

        return Stream(body())

    service = await site.run()
    assert (await service.http.get("/x")).text == "0\n1\n2\n"
    assert site.log == ["open", "row 0", "row 1", "row 2", "commit"]


async def test_a_session_commits_before_the_client_has_the_end(site: Site) -> None:
    @site.app.route("/x")
    async def show(*, session: Session) -> Stream:
        async def body() -> AsyncIterator[str]:
            yield "all"

        return Stream(body())

    service = await site.run()
    async with service.http.stream("GET", "/x") as response:
        async for _ in response.aiter_raw():
            pass
        assert site.log == ["open", "commit"]


@pytest.mark.parametrize("kind", ["async", "plain", "def"])
async def test_streams_of_every_kind(site: Site, kind: str) -> None:
    async def rows(session: Session) -> AsyncIterator[str]:
        session.use()
        assert current_context.get() is not None
        yield "1"
        session.use()

    def plain(session: Session) -> Iterator[str]:
        session.use()
        assert current_context.get() is not None
        yield "1"
        session.use()

    if kind == "def":

        @site.app.route("/x")
        def blocking_show(*, blocking: Session) -> Stream:
            return Stream(plain(blocking))
    else:

        @site.app.route("/x")
        async def show(*, session: Session) -> Stream:
            return Stream(rows(session) if kind == "async" else plain(session))

    service = await site.run()
    for _ in range(40):
        assert (await service.http.get("/x")).text == "1"
    assert site.log == ["open", "used", "used", "commit"] * 40


async def test_an_event_stream(site: Site) -> None:
    @site.app.route("/async")
    async def show(*, session: Session) -> ServerSentEvent:
        async def events() -> AsyncIterator[str]:
            session.use()
            yield "hello"
            session.use()

        return ServerSentEvent(events(), event_type="greeting")

    @site.app.route("/plain")
    def show_plain(*, blocking: Session) -> ServerSentEvent:
        def events() -> Iterator[str]:
            blocking.use()
            yield "hello"
            blocking.use()

        return ServerSentEvent(events())

    service = await site.run()
    for path in ("/async", "/plain"):
        site.log.clear()
        response = await service.http.get(path)
        assert "data: hello\r\n" in response.text
        assert site.log == ["open", "used", "used", "commit"]


async def test_a_file(site: Site, tmp_path: Path) -> None:
    large, small = tmp_path / "large.bin", tmp_path / "small.bin"
    large.write_bytes(b"x" * 3_000_000)
    small.write_bytes(b"y")

    @site.app.route("/<name>")
    async def show(name: str, *, session: Session) -> File:
        return File(tmp_path / name)

    service = await site.run()
    for path in (large, small):
        site.log.clear()
        assert (await service.http.get(f"/{path.name}")).content == path.read_bytes()
        assert site.log == ["open", "commit"]
    site.log.clear()
    assert (await service.http.get("/none.bin")).status_code == 500
    assert site.log == ["open", "roll back: ImproperlyConfiguredException"]


async def test_a_body_that_fails_rolls_back_and_is_cut_and_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    @site.app.route("/<kind>")
    async def show(kind: str, *, session: Session) -> Stream:
        async def body() -> AsyncIterator[str]:
            yield "the beginning"
            raise ZeroDivisionError("in the body") if kind == "bug" else NotFound("the row is gone")

        return Stream(body())

    service = await site.run()
    for kind, error in (("bug", ZeroDivisionError), ("error", NotFound)):
        site.log.clear()
        caplog.clear()
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await service.http.get(f"/{kind}", headers={"x-request-id": "r-17"})
        assert site.log == ["open", f"roll back: {error.__name__}"]
        (line,) = lines_of(caplog, "response body failed")
        assert (line["request_id"], line["handler"]) == ("r-17", "route GET /<kind>")
        assert cast("Any", line["exc_info"])[0] is error
        assert [record.levelname for record in caplog.records if record.levelno >= 30] == ["ERROR"]


async def test_a_failing_commit_cuts_the_body(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[Session]:
        yield Session([])
        raise ConnectionError("cannot commit")

    @site.app.route("/stream")
    async def show(*, session: Session) -> Stream:
        async def body() -> AsyncIterator[str]:
            yield "all of it"

        return Stream(body())

    @site.app.route("/whole")
    async def show_whole(*, session: Session) -> ASGIResponse:
        return ASGIResponse(body=b"all of it")

    service = await site.run()
    with site.container.session.override(PerMessage(failing)):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await service.http.get("/stream")
        assert len(lines_of(caplog, "response body failed")) == 1
        assert (await service.http.get("/whole")).status_code == 500


EXPECTED: dict[str, tuple[list[str], list[str]]] = {
    "rows": (["rows", "background"], ["open", "commit", "background"]),
    "plain": (["plain"], []),
    "whole": (["background"], ["open", "commit", "background"]),
    "option": (["background"], ["open", "commit", "background"]),
}


@pytest.mark.parametrize("path", EXPECTED)
async def test_bodies_and_background_tasks_are_part_of_their_message(site: Site, path: str) -> None:
    contexts: dict[str, Context | None] = {}

    async def after() -> None:
        contexts["background"] = current_context.get()
        site.log.append("background")

    def plain() -> Iterator[str]:
        contexts["plain"] = current_context.get()
        yield "1"

    async def rows() -> AsyncIterator[str]:
        contexts["rows"] = current_context.get()
        yield "1"

    @site.app.route("/rows")
    async def show(*, session: Session) -> Stream:
        return Stream(rows(), background=BackgroundTask(after))

    @site.app.route("/plain")
    async def show_plain() -> Stream:
        return Stream(plain())

    @site.app.route("/whole")
    async def show_whole(*, session: Session) -> Response[str]:
        return Response("whole", background=BackgroundTask(after))

    @site.app.route("/option", background=BackgroundTask(after))
    async def show_option(*, session: Session) -> dict[str, int]:
        return {"a": 1}

    service = await site.run()
    noted, log = EXPECTED[path]
    assert (await service.http.get(f"/{path}", headers={"x-request-id": "r-17"})).status_code == 200
    await until(lambda: list(contexts) == noted)
    for context in contexts.values():
        assert context is not None
        assert (context.request_id, context.handler) == ("r-17", f"route GET /{path}")
    # What is done in the background is done after the commit.
    assert site.log == log


async def test_a_background_task_that_fails_is_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    @site.app.route("/x")
    async def show(*, session: Session) -> Response[str]:
        return Response("whole", background=BackgroundTask(fail))

    service = await site.run()
    assert (await service.http.get("/x")).text == "whole"
    await until(lambda: lines_of(caplog, "background task of a response failed"))
    assert site.log == ["open", "commit"]


async def test_answers_without_a_body_close_too(site: Site) -> None:
    @site.app.route("/x", methods=["HEAD"])
    async def head(*, session: Session) -> Stream:
        async def body() -> AsyncIterator[str]:
            yield "never"

        return Stream(body())

    @site.app.route("/unchanged", status_code=304)
    async def unchanged(*, session: Session) -> Response[None]:
        return Response(None, status_code=304)

    service = await site.run()
    assert (await service.http.head("/x")).status_code == 200
    assert (await service.http.get("/unchanged")).status_code == 304
    await until(lambda: site.log == ["open", "commit"] * 2)


async def test_a_cached_stream_runs_once(site: Site) -> None:
    @site.app.route("/x", cache=True)
    async def show(*, session: Session) -> Stream:
        async def body() -> AsyncIterator[str]:
            session.use()
            yield "row"

        return Stream(body())

    service = await site.run()
    assert [(await service.http.get("/x")).text for _ in range(2)] == ["row", "row"]
    assert site.log == ["open", "used", "commit"]


async def test_an_asgi_app_runs_with_the_session_open(site: Site) -> None:
    @site.app.route("/x")
    async def show(*, session: Session) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            session.use()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"by hand", "more_body": False})

        return answer

    service = await site.run()
    assert (await service.http.get("/x")).text == "by hand"
    assert site.log == ["open", "used", "commit"]


class Row(msgspec.Struct):
    session: Any = None


async def test_what_hooks_and_dtos_encode_is_encoded_while_the_session_is_open(site: Site) -> None:
    after: list[str] = []

    async def touch(response: Response[Any]) -> Response[Any]:
        response.content["session"].use("hook")
        return Response({"ok": True})

    async def afterwards(_: object) -> None:
        after.append("after")

    class Dto(MsgspecDTO[Row]):
        def data_to_encodable_type(self, data: Any) -> Any:
            data.session.use("dto")
            return {"ok": True}

    @site.app.route("/hook", after_request=touch, after_response=afterwards)
    async def hooked(*, session: Session) -> dict[str, Any]:
        return {"session": session}

    @site.app.route("/dto", return_dto=Dto)
    async def with_dto(*, session: Session) -> Row:
        return Row(session)

    service = await site.run()
    for path in ("hook", "dto"):
        site.log.clear()
        assert (await service.http.get(f"/{path}")).json() == {"ok": True}
        assert site.log == ["open", path, "commit"]
    await until(lambda: after == ["after"])


def things() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())


async def cut(service: RunningService, path: str) -> None:
    async with service.http.stream("GET", path) as response:
        async for _ in response.aiter_raw():
            return


async def waiting(session: Session) -> AsyncIterator[str]:
    try:
        yield "first"
        await asyncio.Event().wait()
    finally:
        session.use("finally")


async def sending(session: Session) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"x" * 100_000
    finally:
        session.use("finally")


def plain(session: Session) -> Iterator[bytes]:
    try:
        while True:
            yield b"x" * 100_000
    finally:
        session.use("finally")


RESPONSES: dict[str, Callable[[Session], Stream]] = {
    "waiting": lambda session: Stream(waiting(session)),
    "sending": lambda session: Stream(sending(session)),
    "plain": lambda session: Stream(plain(session)),
    "events": lambda session: ServerSentEvent(waiting(session)),
}


@pytest.mark.parametrize("kind", [*RESPONSES, "def", "file"])
async def test_a_client_that_leaves_closes_the_body(site: Site, kind: str, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(50_000_000)

    @site.app.route("/def")
    def blocking_show(*, blocking: Session) -> Stream:
        return Stream(plain(blocking))

    @site.app.route("/file")
    async def show_file(*, session: Session) -> File:
        return File(large)

    @site.app.route("/<name>")
    async def show(name: str, *, session: Session) -> Stream:
        return RESPONSES[name](session)

    expected = ["open", "finally", "roll back: CancelledError"]
    if kind == "file":
        expected.remove("finally")
    service = await site.run()
    await cut(service, f"/{kind}")
    await until(lambda: len(site.log) == len(expected))
    before = things()
    for _ in range(20):
        await cut(service, f"/{kind}")
    await until(lambda: len(site.log) == 21 * len(expected))
    assert sorted(site.log) == sorted(21 * expected)
    await until(lambda: all(now <= then + 2 for now, then in zip(things(), before, strict=True)))


GONE = Channel[str]("bodies_gone")


@pytest.mark.parametrize("kind", ["stream", "events", "one"])
async def test_a_client_that_goes_while_a_body_blocks_the_event_loop_rolls_back(kind: str, site: Site) -> None:
    begun, gone = threading.Event(), threading.Event()

    async def parts() -> AsyncIterator[str]:
        if kind != "one":
            yield "first"
        begun.set()
        gone.wait(20)  # it never awaits: nobody else can do anything
        time.sleep(0.2)  # noqa: ASYNC251  # as before; the system and the server hear of it meanwhile
        yield "last"

    @site.app.route("/x")
    async def show(*, session: Session, bus: Bus) -> Stream | ServerSentEvent:
        await bus.publish(GONE, "told", after="commit")
        return ServerSentEvent(parts()) if kind == "events" else Stream(parts())

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert begun.wait(20)
            if kind != "one":
                client.recv(65_536)
        gone.set()

    told: list[str] = []

    @site.app.listen(GONE)
    async def on_gone(what: str) -> None:
        told.append(what)

    service = await site.run()
    await asyncio.to_thread(visit, service.ports["http"])
    await until(lambda: len(site.log) == 2)
    assert site.log == ["open", "roll back: CancelledError"]
    await service.publish(GONE, "the end")
    await until(lambda: told)
    assert told == ["the end"]


async def test_a_client_that_is_cut_for_not_reading_rolls_back(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(http=DaebusHttp(port=0, limits=HttpLimits(min_rate=1 << 20)))
    made = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(60):
            made += 1
            yield b"x" * 1_000_000

    @site.app.route("/")
    async def show(*, session: Session) -> Stream:
        return Stream(parts())

    try:
        service = await site.run()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", service.ports["http"]))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: len(site.log) == 2)
        assert site.log == ["open", "roll back: CancelledError"]
        assert made < 60
        assert not lines_of(caplog, "response body failed")
    finally:
        await site.close()


class Item(msgspec.Struct):
    number: int


async def test_a_stream_of_the_bus_holds_its_session_to_the_end(site: Site) -> None:
    rows = StreamAction[None, Item]("rows", service="bodies")

    @site.app.action(rows)
    async def stream(*, session: Session) -> AsyncIterator[Item]:
        for number in range(3):
            assert site.container.session() is session
            session.use()
            yield Item(number)

    service = await site.run()
    assert [item.number async for item in service.stream(rows)] == [0, 1, 2]
    assert site.log == ["open", "used", "used", "used", "commit"]
    site.log.clear()
    async with aclosing(service.stream(rows)) as items:
        async for _ in items:
            break
    await until(lambda: site.log[-1] in ("commit", "roll back: CancelledError"))


class TestStopping:
    async def test_an_event_stream_that_looks_ends_by_itself(self, site: Site) -> None:
        @site.app.route("/x")
        async def show(context: Context, *, session: Session) -> ServerSentEvent:
            async def events() -> AsyncIterator[str]:
                yield "first"
                assert not context.stopping.is_set()
                await context.stopping.wait()
                session.use("told")
                yield "last"

            return ServerSentEvent(events())

        service = await site.run()
        received = asyncio.create_task(self._read(service))
        await until(lambda: site.log == ["open"])
        await asyncio.sleep(0.1)
        begun = asyncio.get_running_loop().time()
        await site.close()
        assert asyncio.get_running_loop().time() - begun < 2.5
        assert "last" in await received
        assert site.log == ["open", "told", "commit"]

    async def test_an_event_stream_that_does_not_look_is_cancelled_and_ends_well(self, site: Site) -> None:
        @site.app.route("/x")
        async def show(*, session: Session) -> ServerSentEvent:
            async def events() -> AsyncIterator[str]:
                try:
                    yield "first"
                    await asyncio.Event().wait()
                finally:
                    session.use("finally")

            return ServerSentEvent(events())

        service = await site.run()
        received = asyncio.create_task(self._read(service))
        await until(lambda: site.log == ["open"])
        await asyncio.sleep(0.1)
        await site.close()
        assert "first" in await received
        assert site.log == ["open", "finally", "roll back: CancelledError"]

    @staticmethod
    async def _read(service: RunningService) -> str:
        url = f"http://127.0.0.1:{service.ports['http']}/x"
        async with httpx.AsyncClient(verify=False, timeout=20) as client:
            return (await client.get(url)).text
