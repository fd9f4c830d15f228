"""The service of docs/guide.md whose users a backend of Litestar knows."""

import secrets
from typing import Any

import msgspec
from litestar import Response
from litestar.connection import ASGIConnection
from litestar.security.jwt import JWTAuth, Token

from daebus import Credentials, Daebus, DaebusHttp, Identity, ServiceContainer


class Member(msgspec.Struct):
    id: str
    name: str


MEMBERS = {"1": Member("1", "Ada")}


async def member_of(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> Member | None:
    return MEMBERS.get(token.sub)


jwt_auth = JWTAuth[Member, Token](
    retrieve_user_handler=member_of, token_secret=secrets.token_urlsafe(32), exclude=["^/login$"]
)


async def find_known(credentials: Credentials) -> Member | None:
    user = credentials.scope.get("user")
    return user if isinstance(user, Member) else None


class Container(ServiceContainer):
    user = Identity(find_known)


app = Daebus("members", container=Container())
app.attach(DaebusHttp(port=0, on_app_init=[jwt_auth.on_app_init]))


@app.route("/login", methods=["POST"])
async def log_in() -> Response[Member]:
    return jwt_auth.login(identifier="1", response_body=MEMBERS["1"])


@app.route("/me")
async def show_me(*, user: Member) -> Member:
    return user
