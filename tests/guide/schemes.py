"""The container of docs/guide.md whose users have credentials of several kinds."""

import msgspec

from daebus import Credentials, Identity, SecurityScheme, ServiceContainer


class User(msgspec.Struct):
    id: str


class Robot(msgspec.Struct):
    id: str


async def find_user(credentials: Credentials) -> User | None:
    return User("ada") if "session" in credentials.cookies else None


async def find_robot(credentials: Credentials) -> Robot | None:
    return Robot("r2") if "x-api-key" in credentials.headers else None


class Container(ServiceContainer):
    user = Identity(find_user, schemes=[SecurityScheme.cookie("session"), SecurityScheme.bearer("JWT")])
    robot = Identity(find_robot, schemes=SecurityScheme.header("x-api-key"))
