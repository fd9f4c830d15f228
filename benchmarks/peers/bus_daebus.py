"""daebus."""

import os
import sys
from collections.abc import AsyncIterator

from driving import Tally, drive, main
from shapes import ITEMS, QUERY, TEXT, USER, GetUser, Text, User

from daebus import Action, Bus, Channel, Daebus, Settings, StreamAction

GET_USER = Action[GetUser, User]("get_user", service="bench")
ECHO = Action[Text, Text]("echo", service="bench")
USERS = StreamAction[GetUser, User]("users", service="bench")
NOTE = Action[GetUser, None]("note", service="bench")
ONE = Channel[User]("bench-one")
TEN = Channel[User]("bench-ten")


def build() -> Daebus:
    app = Daebus("bench", settings=Settings(max_concurrency=256))
    tally = Tally()

    @app.action(GET_USER)
    async def get_user(query: GetUser) -> User:
        return User(query.id, "ada@example.com", "Ada")

    @app.action(ECHO)
    async def echo(data: Text) -> Text:
        return data

    @app.action(USERS)
    async def users(query: GetUser) -> AsyncIterator[User]:
        for _ in range(ITEMS):
            yield USER

    @app.action(NOTE)
    async def note(query: GetUser) -> None:
        tally.add()

    async def hear(event: User) -> None:
        tally.add()

    app.listen(ONE)(hear)
    for number in range(10):
        app.listen(TEN)(_renamed(hear, number))
    return app


def _renamed(hear, number):
    async def hear_too(event: User) -> None:
        await hear(event)

    hear_too.__name__ = hear_too.__qualname__ = f"hear_{number}"
    return hear_too


async def drive_it(url: str) -> None:
    async with Bus(url) as bus:

        async def users() -> None:
            async for _ in bus.stream(USERS, QUERY):
                pass

        await drive(
            {
                "call": lambda: bus.call(GET_USER, QUERY),
                "call_10k": lambda: bus.call(ECHO, TEXT),
                "stream": users,
                "send": lambda: bus.send(NOTE, QUERY),
                "publish_1": lambda: bus.publish(ONE, USER),
                "publish_10": lambda: bus.publish(TEN, USER),
            }
        )


if sys.argv[1] == "serve":
    os.environ["DAEBUS_REDIS_URL"] = sys.argv[2]
    build().run()
else:
    main(drive_it, drive_it)
