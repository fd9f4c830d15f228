"""Logging in and out: a cookie that scripts cannot read."""

from typing import Annotated

from litestar import Response
from litestar.datastructures import Cookie
from litestar.params import CookieParameter

from chat.accounts import COOKIE, SESSION_SECONDS, Accounts
from chat.container import Container
from chat.contracts import Login, User
from daebus import Blueprint
from daebus.errors import TooManyRequests, Unauthorized

login = Blueprint("login", prefix="/api", services=Container)


@login.route("/login", methods=["POST"], raises=[Unauthorized, TooManyRequests])
async def log_in(data: Login, *, accounts: Accounts) -> Response[User]:
    user, secret = await accounts.log_in(data)
    # Lax: a page of another site cannot send it with a POST. Behind HTTPS, add secure=True.
    cookie = Cookie(COOKIE, value=secret, max_age=SESSION_SECONDS, httponly=True, samesite="lax")
    return Response(user, cookies=[cookie])


@login.route("/logout", methods=["POST"], status_code=200)
async def log_out(
    secret: Annotated[str, CookieParameter(name=COOKIE)], *, user: User, accounts: Accounts
) -> Response[User]:
    await accounts.log_out(secret)
    return Response(user, cookies=[Cookie(COOKIE, value="", max_age=0, httponly=True, samesite="lax")])


@login.route("/me")
async def show_me(*, user: User) -> User:
    return user
