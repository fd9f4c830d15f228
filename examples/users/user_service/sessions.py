"""Logins: a session in Redis, short access tokens that name it, and refresh tokens that are used once."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import jwt
import msgspec
from redis.asyncio import Redis

from daebus import Credentials
from daebus.errors import Unauthorized
from user_service.contracts import Member, TokenPair

SERVICE = "user_service"
ALGORITHM = "HS256"

# A refresh token that was used before was stolen: by who uses it now, or by who has used it. So the session ends.
REFRESH = """
local found = redis.call('HMGET', KEYS[1], 'refresh', 'user')
if not found[1] then return false end
if found[1] ~= ARGV[1] then
    redis.call('DEL', KEYS[1])
    return false
end
redis.call('HSET', KEYS[1], 'refresh', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return found[2]
"""


class Claims(msgspec.Struct):
    """What an access token says."""

    sub: str
    sid: str
    exp: int


class Sessions:
    """The logins of all users, for all replicas: who logs out at one of them is logged out everywhere at once."""

    def __init__(self, redis: Redis, prefix: str, key: str, access_seconds: int, refresh_seconds: int) -> None:
        self._redis = redis
        self._prefix = prefix
        self._key = key
        self._access = timedelta(seconds=access_seconds)
        self._refresh_seconds = refresh_seconds
        self._renew = redis.register_script(REFRESH)

    async def open(self, user_id: str) -> TokenPair:
        """Log a user in."""
        session, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        async with self._redis.pipeline() as pipeline:
            pipeline.hset(self._at(session), mapping={"user": user_id, "refresh": _digest(secret)})
            pipeline.expire(self._at(session), self._refresh_seconds)
            await pipeline.execute()
        return self._pair(session, user_id, secret)

    async def refresh(self, token: str) -> TokenPair:
        """Exchange a refresh token, once. Raises `Unauthorized`."""
        session, _, secret = token.partition(".")
        renewed = secrets.token_urlsafe(32)
        user_id = await self._renew(
            keys=[self._at(session)], args=[_digest(secret), _digest(renewed), self._refresh_seconds]
        )
        if user_id is None:
            raise Unauthorized("The refresh token is not valid: log in again")
        return self._pair(session, user_id.decode(), renewed)

    async def close(self, session: str) -> None:
        """Log out: neither the access token nor the refresh token is valid from now on."""
        await self._redis.delete(self._at(session))

    async def member(self, token: str) -> Member | None:
        """The owner of an access token; None if it is forged, expired, or its session is over."""
        try:
            claims = msgspec.convert(
                jwt.decode(token, self._key, [ALGORITHM], audience=SERVICE, options={"require": ["exp"]}), Claims
            )
        except (jwt.InvalidTokenError, msgspec.ValidationError):
            return None
        if not await self._redis.exists(self._at(claims.sid)):
            return None
        return Member(claims.sub, session=claims.sid, until=datetime.fromtimestamp(claims.exp, UTC))

    def _pair(self, session: str, user_id: str, secret: str) -> TokenPair:
        now = datetime.now(UTC)
        claims = {"sub": user_id, "sid": session, "aud": SERVICE, "iat": now, "exp": now + self._access}
        access = jwt.encode(claims, self._key, ALGORITHM)
        return TokenPair(access, f"{session}.{secret}", expires_in=int(self._access.total_seconds()))

    def _at(self, session: str) -> str:
        return f"{self._prefix}:session:{session}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def open_sessions(
    redis: Redis, prefix: str, key: str, access_seconds: int, refresh_seconds: int
) -> AsyncIterator[Sessions]:
    """All replicas sign with the same key: the one given, or one that the first of them leaves in Redis."""
    if not key:
        await redis.set(f"{prefix}:key", secrets.token_urlsafe(32), nx=True)
        stored = await redis.get(f"{prefix}:key")
        key = stored.decode() if isinstance(stored, bytes) else str(stored)
    yield Sessions(redis, prefix, key, access_seconds, refresh_seconds)


async def find_member(credentials: Credentials, sessions: Sessions) -> Member | None:
    """Who has sent a message, over HTTP, a WebSocket or the bus alike."""
    return await sessions.member(credentials.token) if credentials.scheme == "bearer" else None


def expiry_of(member: Member) -> datetime:
    """When a WebSocket has to show a new access token."""
    return member.until
