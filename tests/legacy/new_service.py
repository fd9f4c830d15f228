from collections.abc import AsyncIterator

import msgspec

from daebus import Blueprint, Bus, Channel, Client, Daebus, DaebusHttp, DaebusWebSocket, Logger, Settings
from daebus.errors import NotFound


class User(msgspec.Struct):
    id: str
    name: str


class UserId(msgspec.Struct):
    id: str


class NewUser(msgspec.Struct):
    name: str


class Names(msgspec.Struct):
    names: list[str]


class Step(msgspec.Struct):
    done: int


class UserCreated(msgspec.Struct, tag="user_created"):
    user_id: str


class Greeting(msgspec.Struct):
    client_id: str


class Registered(msgspec.Struct):
    status: str
    name: str


USER_EVENTS = Channel[UserCreated]("user_events")

USERS = {"u1": User("u1", "Ada")}

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: UserId) -> User:
    if query.id not in USERS:
        raise NotFound(f"User {query.id} not found")
    return USERS[query.id]


@users.action("create_user")
async def create_user(new: NewUser, *, bus: Bus) -> User:
    user = User(f"u{len(USERS) + 1}", new.name)
    USERS[user.id] = user
    await bus.publish(USER_EVENTS, UserCreated(user.id))
    return user


@users.action("import_users")
async def import_users(names: Names) -> AsyncIterator[Step]:
    for done, _ in enumerate(names.names, start=1):
        yield Step(done)


@users.action("forget_user")
async def forget_user(query: UserId) -> None:
    USERS.pop(query.id, None)


@users.listen(USER_EVENTS)
async def on_user_event(event: UserCreated, *, logger: Logger) -> None:
    logger.info("user created", user=event.user_id)


@users.route("/api/users/<user_id>")
async def http_get_user(user_id: str) -> User:
    return await get_user(UserId(user_id))


@users.socket_connect()
async def on_connect(client: Client) -> Greeting:
    return Greeting(client.id)


@users.socket_register()
async def on_register(data: NewUser) -> Registered:
    return Registered("registered", data.name)


@users.socket("get_users")
async def ws_get_users() -> list[User]:
    return list(USERS.values())


@users.background("count_users", 3600)
async def count_users(*, logger: Logger) -> None:
    logger.info("users counted", users=len(USERS))


app = Daebus(__name__, settings=Settings(legacy=True))  # while anything of 0.0.31 is left
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket(port=8081))  # the old clients' port; /ws on 8080 as well
app.register_blueprint(users)

if __name__ == "__main__":
    app.run(service="users")
