"""Events, WebSocket messages, tasks and threads."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from daebus import (
    BlockingBus,
    BlockingClients,
    Blueprint,
    Bus,
    Channel,
    Client,
    Clients,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Logger,
    Message,
    Running,
)

from .things import ORDERS, USER_EVENTS, USER_ONLINE, Admin, Container, Created, Deleted, User, UserRepo

events = Blueprint("events", services=Container)


@events.listen(USER_EVENTS)
async def on_event(event: Created | Deleted, *, repo: UserRepo) -> None: ...


@events.listen(USER_EVENTS)
def on_event_in_a_thread(event: Created | Deleted) -> None: ...


@events.listen(USER_EVENTS)
async def takes_more_than_it_must(event: Created | Deleted | User) -> None: ...


@events.listen(ORDERS, retries=3, backoff=1, max_backoff=60, timeout=0.5)
async def takes_anything(event: object, *, logger: Logger) -> None: ...


@events.listen("plain", timeout=3)
async def on_plain(event: Created, *, logger: Logger) -> None: ...


@events.socket("get_user")
async def ws_get_user(data: None, client: Client, *, repo: UserRepo) -> User:
    return User(client.id)


@events.socket_disconnect()
async def on_disconnect(client: Client) -> None: ...


@events.background("often", 60)
async def often(*, repo: UserRepo) -> None: ...


@events.background("seldom", every=timedelta(hours=1), scope="replica")
def seldom() -> None: ...


@events.background("nightly", cron="0 3 * * *")
async def nightly() -> None: ...


@events.thread("monitor", restart=True)
def monitor(running: Running, *, repo: UserRepo) -> None: ...


@events.on_start()
async def warm_up(*, repo: UserRepo) -> None: ...


@events.on_stop()
def cool_down() -> None: ...


async def a_decorated_name_is_still_a_function(
    repo: UserRepo, client: Client, running: Running, logger: Logger
) -> None:
    assert_type(await on_event(Created("1"), repo=repo), None)
    assert_type(on_event_in_a_thread(Deleted("1")), None)
    assert_type(await on_plain(Created("1"), logger=logger), None)
    assert_type(await ws_get_user(None, client, repo=repo), User)
    assert_type(await often(repo=repo), None)
    assert_type(monitor(running, repo=repo), None)
    assert_type(await warm_up(repo=repo), None)


async def publishing(bus: Bus, blocking_bus: BlockingBus, event: Created | Deleted) -> None:
    assert_type(await bus.publish(USER_EVENTS, Created("1")), None)
    assert_type(await bus.publish(USER_EVENTS, event), None)
    assert_type(await bus.publish(Channel[int]("numbers"), 3), None)
    assert_type(blocking_bus.publish(ORDERS, Created("1")), None)
    assert_type(await bus.publish(USER_EVENTS, event, after="commit"), None)
    assert_type(blocking_bus.publish(ORDERS, Created("1"), after="commit"), None)


async def sending(client: Client, clients: Clients, blocking_clients: BlockingClients) -> None:
    await client.send(USER_ONLINE, User("1"))
    await clients.broadcast(USER_ONLINE, Admin("1"))
    assert_type(await clients.send("c1", Message[None]("refresh"), None), bool)
    await client.send(USER_ONLINE, User("1"), after="commit")
    await clients.broadcast(USER_ONLINE, Admin("1"), after="commit")
    assert_type(await clients.send("c1", USER_ONLINE, User("1"), after="commit"), None)
    assert_type(blocking_clients.send("c1", USER_ONLINE, User("1")), bool)
    assert_type(blocking_clients.send("c1", USER_ONLINE, User("1"), after="commit"), None)
    blocking_clients.broadcast(USER_ONLINE, User("1"), after="commit")


app = Daebus("tests", container=Container())
app.attach(DaebusHttp(port=0))
app.attach(DaebusWebSocket())
app.register_blueprint(events)
