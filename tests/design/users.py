"""The page's blueprints/users.py, its bodies filled in."""

from daebus import Blueprint, Bus, Client, Clients, Logger, Reject, Running
from daebus.errors import NotFound

from .container import Container
from .contracts import (
    GET_USER,
    USER_EVENTS,
    USER_ONLINE,
    CreateUser,
    GetUser,
    User,
    UserCreated,
    UserDeleted,
    UserList,
)
from .helpers import ConnectParams, Rooms, Tokens, UserRepo, Welcome

users = Blueprint("users", services=Container)


@users.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    user = await repo.find(query.id)
    if user is None:
        raise NotFound(f"User {query.id} not found")
    return user


@users.route("/api/users/<user_id>")
async def http_get_user(user_id: str, *, repo: UserRepo) -> User:
    return await get_user(GetUser(user_id), repo=repo)


@users.route("/api/users", methods=["POST"], status_code=201)
async def http_create_user(data: CreateUser, *, repo: UserRepo, bus: Bus) -> User:
    user = await repo.add(data)
    await bus.publish(USER_EVENTS, UserCreated(user.id))
    return user


@users.listen(USER_EVENTS)
async def on_user_event(event: UserCreated | UserDeleted, *, repo: UserRepo, logger: Logger) -> None:
    match event:
        case UserCreated(user_id):
            logger.info("user created", user_id=user_id)
            repo.journal.note(f"heard created {user_id}")
        case UserDeleted(user_id):
            logger.info("user deleted", user_id=user_id)
            repo.journal.note(f"heard deleted {user_id}")


@users.socket_connect()
async def on_connect(params: ConnectParams, client: Client, *, tokens: Tokens) -> Welcome:
    user_id = tokens.owner(params.token)
    if user_id is None:
        raise Reject("bad token")
    client.state["user_id"] = user_id
    return Welcome(user_id)


@users.socket("get_users")
async def ws_get_users(data: None, client: Client, *, repo: UserRepo, clients: Clients) -> UserList:
    everyone = await repo.all()
    await clients.broadcast(USER_ONLINE, everyone[0])
    return UserList(everyone)


@users.socket_disconnect()
async def on_disconnect(client: Client, *, presence: Rooms) -> None:
    presence.leave(client.id)


@users.background("cleanup_expired_users", 3600)
async def cleanup(*, repo: UserRepo, logger: Logger) -> None:
    repo.journal.note("cleaned up")


@users.thread("user_activity_monitor")
def monitor(running: Running, *, repo: UserRepo) -> None:
    while running():
        repo.looked_at.set()
        running.wait(60)


@users.on_start()
async def warm_up(*, repo: UserRepo, logger: Logger) -> None:
    logger.info("warm")
    repo.journal.note("warmed up")


@users.on_stop()
async def flush(*, repo: UserRepo) -> None:
    repo.journal.note("flushed")
