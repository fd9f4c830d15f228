"""What completion offers on an object of each public class: what is for users, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import daebus
from daebus import (
    Action,
    BlockingBus,
    BlockingClients,
    BlockingRooms,
    Blueprint,
    Bus,
    BusLimits,
    Channel,
    Client,
    Clients,
    Context,
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Encodable,
    Followed,
    HttpLimits,
    Identity,
    Logger,
    Member,
    Message,
    PerMessage,
    Reject,
    Room,
    RoomAddress,
    Rooms,
    Run,
    Running,
    SecurityScheme,
    ServiceContainer,
    ServiceRun,
    Settings,
    SigningKeys,
    StreamAction,
    Threads,
    WebSocketLimits,
    WiringError,
    use,
)
from daebus.declare.decorated import ActionHandler, StreamHandler
from daebus.testing import RunningService, Socket, running
from daebus.websocket.clients import ClientState

DECORATORS = "action background listen on_start on_stop route"
SOCKETS = "socket socket_connect socket_disconnect socket_join socket_register thread"

OFFERED: dict[type, str] = {
    Action: "name service types",
    ActionHandler: "name service types",
    BlockingBus: "call follow publish send stream",
    BlockingRooms: "has members remove send",
    BlockingClients: "broadcast connected disconnect send",
    Blueprint: f"{DECORATORS} {SOCKETS} name services",
    Bus: "call follow publish send stream",
    BusLimits: "max_dead_size max_message_size max_reply_size max_streams",
    Channel: "durable keep name retention service types",
    Client: "close headers id send state",
    ClientState: "get",
    Clients: "broadcast connected disconnect send",
    Context: "actor attempt deadline event_id fence handler headers remaining request_id service source stopping",
    Credentials: "cookies headers scheme scope source token",
    Daebus: f"{DECORATORS} {SOCKETS} asgi attach check container examine http name register_blueprint run websocket",
    DaebusHttp: "allowed_hosts cancels health host http2 limits litestar msgpack origins port schema",
    DaebusWebSocket: "client_id host limits origins path ping_interval port stop_notice",
    Followed: "event id",
    HttpLimits: "body_timeout max_body_size max_connections max_per_address min_rate",
    Identity: "given_type is_async is_first manager opens related visitor",
    Logger: "bind critical debug error exception info warning",
    Member: "data id user",
    Message: "name service types",
    PerMessage: "is_async is_first manager opens related",
    Reject: "code details message status",
    Room: "history history_bytes keep latest name parameters service types",
    RoomAddress: "name room",
    Rooms: "has members remove send",
    Run: "by previous scheduled_for token",
    Running: "stop wait",
    RunningService: "as_user bus call http override ports publish send socket stream",
    ServiceRun: "bus container grace instance logger service stopping",
    SecurityScheme: "basic bearer cookie format header kind name",
    Settings: "check_contracts drain_delay hung_after legacy lease limits max_buffered max_concurrency max_lag "
    "max_workers metadata on_conflict on_lapse partitions signing_keys stop_timeout version",
    SigningKeys: "max_age of",
    Socket: "ask connection receive send",
    StreamAction: "name service types",
    StreamHandler: "name service types",
    Threads: "is_running names start stop",
    WebSocketLimits: "login_timeout max_burst max_clients max_login_size max_message_size max_per_address max_rate "
    "max_rooms max_streams",
    WiringError: "problems",
}


def offered(kind: type, made: object) -> list[str]:
    """The public names of a class, those that it has from classes of others left out, and of one of its objects."""
    ours = (base for base in kind.__mro__ if base.__module__.partition(".")[0] == "daebus")
    names = {name for base in ours for name in vars(base)}.union(vars(made) if hasattr(made, "__dict__") else ())
    return sorted(name for name in names if not name.startswith("_"))


def open_session() -> Iterator[str]:
    yield "session"


async def find_user(_: Credentials) -> str | None:
    return None


async def test_objects_of_public_classes_offer_what_is_for_users_and_nothing_else() -> None:
    app = Daebus("surface")
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())
    runs: list[ServiceRun] = []

    class Component:
        @asynccontextmanager
        async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
            runs.append(run)
            yield

    app.attach(Component())
    clients: list[Client] = []

    @app.action("greet")
    async def greet() -> str:
        return "hello"

    @app.action("count")
    async def count() -> AsyncIterator[int]:
        yield 1

    @app.socket("hello")
    async def hello(client: Client) -> str:
        clients.append(client)
        return "hello"

    async with running(app) as service, service.socket() as socket:
        await socket.ask("hello")
        container = app.container
        made: dict[type, object] = {
            Action: Action[None, str]("greet"),
            ActionHandler: greet,
            BlockingBus: container.blocking_bus(),
            BlockingClients: container.blocking_clients(),
            BlockingRooms: container.blocking_rooms(),
            Blueprint: Blueprint("users"),
            Bus: container.bus(),
            BusLimits: BusLimits(),
            Channel: Channel[str]("events"),
            Client: clients[0],
            ClientState: clients[0].state,
            Clients: container.clients(),
            Context: Context(request_id="1", service="users", handler="action greet"),
            Credentials: Credentials(source="http"),
            Daebus: app,
            DaebusHttp: app.http,
            DaebusWebSocket: app.websocket,
            HttpLimits: HttpLimits(),
            Identity: Identity(find_user),
            Logger: container.logger(),
            Member: Member("1", None),
            Message: Message[str]("told"),
            PerMessage: PerMessage(open_session),
            Reject: Reject("no"),
            Room: Room[None]("lobby"),
            RoomAddress: Room[None]("lobby")(),
            Rooms: container.rooms(),
            Run: Run("1", datetime.now(UTC)),
            Running: Running(),
            RunningService: service,
            ServiceRun: runs[0],
            Settings: Settings(),
            Followed: Followed("1-0-1", 1),
            SecurityScheme: SecurityScheme.basic(),
            SigningKeys: SigningKeys("k" * 32),
            Socket: socket,
            StreamAction: StreamAction[None, int]("count"),
            StreamHandler: count,
            Threads: container.threads(),
            WebSocketLimits: WebSocketLimits(),
            WiringError: WiringError(),
        }
        found = {kind: offered(kind, one) for kind, one in made.items()}
    assert found == {kind: sorted(names.split()) for kind, names in OFFERED.items()}


def test_no_public_class_was_forgotten() -> None:
    # A union, which has no names of its own.
    public = {getattr(daebus, name) for name in daebus.__all__} - {Encodable}
    assert public - set(OFFERED) == {daebus.Component, ServiceContainer, use}
