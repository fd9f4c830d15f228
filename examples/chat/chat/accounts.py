"""Who may come in: accounts with passwords, and sessions that a cookie names. Both are in Redis, for all replicas."""

import asyncio
import hashlib
import secrets

import msgspec
from redis.asyncio import Redis

from chat.contracts import Login, User
from daebus import Credentials
from daebus.errors import TooManyRequests, Unauthorized

COOKIE = "chat_session"
SESSION_SECONDS = 30 * 86_400
_ATTEMPTS, _ATTEMPT_SECONDS = 10, 300


class _Account(msgspec.Struct):
    user: User
    salt: bytes
    password: bytes


class Accounts:
    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def log_in(self, login: Login) -> tuple[User, str]:
        """The user, and the secret of a new session. A new name becomes an account. Raises `Unauthorized`."""
        user_id = login.name.lower()
        await self._count_attempt(user_id)
        salt = secrets.token_bytes(16)
        account = _Account(User(user_id, login.name), salt, await _hash(login.password, salt))
        if not await self._redis.hsetnx(self._accounts, user_id, msgspec.json.encode(account)):
            account = msgspec.json.decode(await self._redis.hget(self._accounts, user_id) or b"", type=_Account)
            given = await _hash(login.password, account.salt)
            if not secrets.compare_digest(given, account.password):
                raise Unauthorized("This name is taken, and the password is another one")
        await self._redis.delete(f"{self._prefix}:attempts:{user_id}")
        secret = secrets.token_urlsafe(32)
        await self._redis.set(self._session(secret), msgspec.json.encode(account.user), ex=SESSION_SECONDS)
        return account.user, secret

    async def find(self, secret: str) -> User | None:
        """The user of a session; None: there is no such session."""
        found = await self._redis.get(self._session(secret))
        return None if found is None else msgspec.json.decode(found, type=User)

    async def log_out(self, secret: str) -> None:
        await self._redis.delete(self._session(secret))

    async def _count_attempt(self, user_id: str) -> None:
        key = f"{self._prefix}:attempts:{user_id}"
        async with self._redis.pipeline() as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, _ATTEMPT_SECONDS, nx=True)
            tried, _ = await pipeline.execute()
        if tried > _ATTEMPTS:
            raise TooManyRequests("Too many passwords were tried; wait for some minutes")

    @property
    def _accounts(self) -> str:
        return f"{self._prefix}:accounts"

    def _session(self, secret: str) -> str:
        return f"{self._prefix}:session:{hashlib.sha256(secret.encode()).hexdigest()}"


async def _hash(password: str, salt: bytes) -> bytes:
    # 16 MiB and some 50 ms of a processor, so in a thread.
    return await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=salt, n=2**14, r=8, p=1)


async def find_user(credentials: Credentials, accounts: Accounts) -> User | None:
    """Who has sent a message, over HTTP or a WebSocket: the cookie says it."""
    secret = credentials.cookies.get(COOKIE)
    return None if secret is None else await accounts.find(secret)
