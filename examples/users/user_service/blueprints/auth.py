"""Logins and tokens: over the bus, over HTTP, and when a WebSocket client connects."""

import asyncio
from contextlib import suppress

import msgspec

from daebus import Blueprint, Client, Clients, Logger
from daebus.errors import Conflict, Unauthorized
from user_service.container import Container
from user_service.contracts import (
    LOGIN,
    USER_ONLINE,
    VERIFY_TOKEN,
    CreateUser,
    Credentials,
    Token,
    TokenOwner,
    VerifyToken,
)
from user_service.presence import Activity, Rooms, SignedIn
from user_service.security import Tokens, check_password
from user_service.store import UserRepo

DEMO = CreateUser(email="user@example.com", name="Demo", password="password")

auth = Blueprint("auth", services=Container)


class ConnectParams(msgspec.Struct):
    """The query string of ``/ws?token=...``."""

    token: str | None = None


class Welcome(msgspec.Struct, omit_defaults=True):
    authenticated: bool
    user_id: str | None = None
    message: str | None = None


@auth.action(LOGIN)
async def login(data: Credentials, *, repo: UserRepo, tokens: Tokens, token: str, activity: Activity) -> Token:
    account = await repo.find_account(data.email)
    if account is None or not await asyncio.to_thread(check_password, data.password, account.password):
        raise Unauthorized("Invalid email or password")
    activity.saw(account.user.id)
    await tokens.issue(token, account.user.id)
    return Token(token, expires_in=tokens.seconds)


@auth.action(VERIFY_TOKEN)
async def verify_token(data: VerifyToken, *, tokens: Tokens) -> TokenOwner:
    user_id = await tokens.owner(data.token)
    if user_id is None:
        raise Unauthorized("Invalid or expired token")
    return TokenOwner(valid=True, user_id=user_id)


@auth.route("/api/auth/login", methods=["POST"])
async def http_login(data: Credentials, *, repo: UserRepo, tokens: Tokens, token: str, activity: Activity) -> Token:
    return await login(data, repo=repo, tokens=tokens, token=token, activity=activity)


@auth.socket_connect()
async def on_connect(
    params: ConnectParams, client: Client, *, repo: UserRepo, tokens: Tokens, rooms: Rooms, clients: Clients
) -> Welcome:
    if params.token is None:
        return Welcome(authenticated=False, message="No authentication token provided")
    user_id = await tokens.owner(params.token)
    user = None if user_id is None else await repo.find(user_id)
    if user is None:
        return Welcome(authenticated=False, message="Invalid or expired token")
    client.state[SignedIn] = SignedIn(user.id)
    await clients.broadcast(USER_ONLINE, user)
    rooms.enter(user.id, client.id)
    return Welcome(authenticated=True, user_id=user.id)


@auth.socket("whoami")
async def ws_whoami(client: Client) -> Welcome:
    signed_in = client.state.get(SignedIn)
    if signed_in is None:
        return Welcome(authenticated=False)
    return Welcome(authenticated=True, user_id=signed_in.user_id)


@auth.on_start()
async def add_demo_user(*, repo: UserRepo, logger: Logger) -> None:
    with suppress(Conflict):  # another replica, or an earlier run
        await repo.add(DEMO)
    logger.info("demo user ready", email=DEMO.email)
