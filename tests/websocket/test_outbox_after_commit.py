"""What is sent to WebSocket clients with ``after="commit"`` leaves once its message has succeeded, and else never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from dependency_injector import providers
from tests.engines import Engine
from tests.support import until

from daebus import (
    Action,
    BlockingClients,
    Client,
    Clients,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Message,
    PerMessage,
    Running,
    ServiceContainer,
    Settings,
)
from daebus.errors import ConfigurationError, Conflict
from daebus.testing import Socket, running

NOTE = Message[str]("note")
TELL_ALL = Action[str, None]("tell_all", service="shop")
TELL_ONE = Action[str, None]("tell_one", service="shop")
TELL_ALL_BLOCKING = Action[str, None]("tell_all_blocking", service="shop")
TELL_ONE_BLOCKING = Action[str, None]("tell_one_blocking", service="shop")
ACTIONS = [TELL_ALL, TELL_ONE, TELL_ALL_BLOCKING, TELL_ONE_BLOCKING]


class Session:
    def __init__(self) -> None:
        self.what = ""


class State:
    """What is committed, and who is connected."""

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.client = ""


def end(session: Session, state: State) -> None:
    if session.what == "uncommitted":
        raise Conflict("cannot commit")
    state.committed.append(session.what)


async def open_session(state: State) -> AsyncIterator[Session]:
    session = Session()
    yield session
    await asyncio.sleep(0.05)
    end(session, state)


def open_blocking(state: State) -> Iterator[Session]:
    session = Session()
    yield session
    end(session, state)


class Container(ServiceContainer):
    state = providers.Singleton(State)
    session = PerMessage(open_session, state=state)
    blocking = PerMessage(open_blocking, state=state)


def fail(what: str) -> None:
    if what == "failing":
        raise Conflict("the handler fails")


def make_app(container: Container) -> Daebus[Container]:
    app = Daebus("shop", container=container, settings=Settings(stop_timeout=5))
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())

    @app.socket_connect()
    async def connect(client: Client, *, state: State) -> None:
        state.client = client.id

    @app.socket("do")
    async def do(what: str, client: Client, *, session: Session) -> str:
        session.what = what
        await client.send(NOTE, f"{what} 1", after="commit")
        await client.send(NOTE, "at once")
        await client.send(NOTE, f"{what} 2", after="commit")
        fail(what)
        return what

    @app.action(TELL_ALL)
    async def tell_all(what: str, *, session: Session, clients: Clients) -> None:
        session.what = what
        await clients.broadcast(NOTE, what, after="commit")
        fail(what)

    @app.action(TELL_ONE)
    async def tell_one(what: str, *, session: Session, clients: Clients, state: State) -> None:
        session.what = what
        assert await cast("Any", clients.send(state.client, NOTE, what, after="commit")) is None
        fail(what)

    @app.action(TELL_ALL_BLOCKING)
    def tell_all_blocking(what: str, *, blocking: Session, blocking_clients: BlockingClients) -> None:
        blocking.what = what
        blocking_clients.broadcast(NOTE, what, after="commit")
        fail(what)

    @app.action(TELL_ONE_BLOCKING)
    def tell_one_blocking(what: str, *, blocking: Session, blocking_clients: BlockingClients, state: State) -> None:
        blocking.what = what
        blocking_clients.send(state.client, NOTE, what, after="commit")
        fail(what)

    return app


async def heard(socket: Socket) -> object:
    """What a client hears next: of a note the text, of an answer its type and its data."""
    envelope = await socket.receive()
    data = msgspec.json.decode(envelope.data)
    return data if envelope.type == NOTE.name else (envelope.type, data)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
async def test_clients_hear_of_what_was_committed_and_of_nothing_else(action: Action[str, None]) -> None:
    container = Container()
    async with running(make_app(container)) as service, service.socket() as socket:
        state = container.state()
        await until(lambda: state.client)
        for what in ("failing", "uncommitted"):
            with pytest.raises(Conflict):
                await service.call(action, what)
        hearing = asyncio.create_task(heard(socket))
        hearing.add_done_callback(lambda _: state.committed.append("heard"))
        await service.call(action, "x")
        assert await hearing == "x"
        assert state.committed == ["x", "heard"]


async def test_a_client_hears_it_before_the_answer() -> None:
    async with running(make_app(Container())) as service, service.socket() as socket:
        for what in ("failing", "uncommitted"):
            await socket.send("do", what)
            assert await heard(socket) == "at once"
            answer = await heard(socket)
            assert isinstance(answer, tuple)
            assert answer[0] == "error"
        await socket.send("do", "x")
        assert [await heard(socket) for _ in range(4)] == ["at once", "x 1", "x 2", ("response", "x")]


async def test_the_payload_is_that_of_the_call() -> None:
    app = make_app(Container())
    notes = Message[list[str]]("notes")

    @app.action("change")
    async def change(*, clients: Clients) -> None:
        texts = ["as it was"]
        await clients.broadcast(notes, texts, after="commit")
        texts.append("later")

    async with running(app) as service, service.socket() as socket:
        await until(app.container.clients().connected)
        await service.call(change)
        assert msgspec.json.decode((await socket.receive()).data) == ["as it was"]


async def test_mistakes_are_told_where_they_are_made() -> None:
    app = make_app(Container())
    told: list[str] = []

    @app.action("misspell")
    async def misspell(*, clients: Clients) -> None:
        with pytest.raises(ConfigurationError, match="or leave it out to send at once"):
            await clients.broadcast(NOTE, "x", after=cast("Any", "success"))

    @app.on_start()
    async def start(*, clients: Clients) -> None:
        await clients.broadcast(NOTE, "start", after="commit")

    @app.thread("watch")
    def watch(running: Running, *, blocking_clients: BlockingClients) -> None:
        try:
            blocking_clients.broadcast(NOTE, "x", after="commit")
        except ConfigurationError as error:
            told.append(str(error))
        running.wait(60)

    async with running(app) as service:
        await service.call(misspell)
        await until(lambda: told)
        assert "message 'note' to all clients cannot wait for" in told[0]


async def test_what_other_replicas_cannot_be_told_of_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(Container())
    gate: dict[str, Callable[[], None]] = {}

    @app.route("/x")
    async def show(*, clients: Clients) -> str:
        await clients.broadcast(NOTE, "x", after="commit")
        gate["close"]()
        return "x"

    with Engine(tmp_path) as engine:
        async with running(app, redis_url=engine.url) as service:
            gate["close"] = engine.kill
            try:
                response = await service.http.get("/x", timeout=30)
            finally:
                engine.start()  # without it the service would not stop in time
            assert response.status_code == 503
            assert "unsent=['message \\'note\\' to all clients: {" in caplog.text
