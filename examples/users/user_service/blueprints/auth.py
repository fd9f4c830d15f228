"""Logins: over the bus, over HTTP, and when a WebSocket client connects."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from litestar import Request

from daebus import Blueprint, Bus, Client, Clients, Logger
from daebus.errors import Conflict, NotFound, TooManyRequests, Unauthorized
from user_service.container import Container
from user_service.contracts import (
    LOGIN,
    LOGOUT,
    PEOPLE,
    REFRESH,
    SESSION_EVENTS,
    USER_ONLINE,
    CreateUser,
    Login,
    Member,
    Refresh,
    SessionEnded,
    TokenPair,
    User,
)
from user_service.presence import Activity, Connections
from user_service.security import LoginLimit, check_password
from user_service.sessions import Sessions
from user_service.store import UserRepo

DEMO = CreateUser(email="user@example.com", name="Demo", password="password")

auth = Blueprint("auth", services=Container)


class Welcome(msgspec.Struct, omit_defaults=True):
    authenticated: bool
    user_id: str | None = None


# Logging in and out


@auth.action(LOGIN)
async def login(
    data: Login, *, repo: UserRepo, sessions: Sessions, login_limit: LoginLimit, activity: Activity
) -> TokenPair:
    account_name = f"account:{data.email.lower()}"
    await login_limit.count(account_name)
    account = await repo.find_account(data.email)
    hashed = None if account is None else account.password
    is_right = await asyncio.to_thread(check_password, data.password, hashed)
    if account is None or not is_right:
        raise Unauthorized("Invalid email or password")
    await login_limit.forget(account_name)
    activity.saw(account.user.id)
    return await sessions.open(account.user.id)


@auth.action(REFRESH)
async def refresh(data: Refresh, *, sessions: Sessions) -> TokenPair:
    return await sessions.refresh(data.refresh_token)


@auth.action(LOGOUT)
async def logout(*, user: Member, sessions: Sessions, bus: Bus) -> None:
    await sessions.close(user.session)
    await bus.publish(SESSION_EVENTS, SessionEnded(user.session))


@auth.route("/api/auth/login", methods=["POST"], raises=[Unauthorized, TooManyRequests])
async def http_login(
    data: Login,
    request: Request[Any, Any, Any],
    *,
    repo: UserRepo,
    sessions: Sessions,
    login_limit: LoginLimit,
    activity: Activity,
) -> TokenPair:
    # One address may have many users. Behind a proxy, it is the proxy's: let the proxy limit its clients.
    if request.client is not None:
        await login_limit.count(f"address:{request.client.host}", times=20)
    return await login(data, repo=repo, sessions=sessions, login_limit=login_limit, activity=activity)


@auth.route("/api/auth/refresh", methods=["POST"], raises=[Unauthorized])
async def http_refresh(data: Refresh, *, sessions: Sessions) -> TokenPair:
    return await refresh(data, sessions=sessions)


@auth.route("/api/auth/logout", methods=["POST"])
async def http_logout(*, user: Member, sessions: Sessions, bus: Bus) -> None:
    await logout(user=user, sessions=sessions, bus=bus)


# WebSockets


@auth.socket_connect()
async def on_connect(
    client: Client, *, user: Member | None, repo: UserRepo, presence: Connections, clients: Clients
) -> Welcome:
    account = None if user is None else await repo.find(user.id)
    if user is None or account is None:
        return Welcome(authenticated=False)
    client.state[Member] = user
    await clients.broadcast(USER_ONLINE, account)
    presence.enter(user, client.id)
    return Welcome(authenticated=True, user_id=user.id)


@auth.socket_join(PEOPLE)
async def join_people(*, user: Member, repo: UserRepo) -> User:
    """Each member sees who else has the page open, and gets the users that are added or changed."""
    account = await repo.find(user.id)
    if account is None:
        raise NotFound("This account no longer exists")
    return account


@auth.socket("whoami")
async def ws_whoami(*, user: Member | None) -> Welcome:
    return Welcome(authenticated=False) if user is None else Welcome(authenticated=True, user_id=user.id)


@auth.listen(SESSION_EVENTS)
async def on_session_event(event: SessionEnded, *, presence: Connections, clients: Clients) -> None:
    """Each replica hears it, and disconnects the clients that it has of this session."""
    for client_id in presence.of_session(event.session):
        await clients.disconnect(client_id, "logged out")


@auth.on_start()
async def add_demo_user(*, repo: UserRepo, logger: Logger) -> None:
    with suppress(Conflict):  # another replica, or an earlier run
        await repo.add(DEMO)
    logger.info("demo user ready", email=DEMO.email)
