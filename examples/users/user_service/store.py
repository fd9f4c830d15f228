"""Where users are kept: in Redis, so that all replicas of the service agree."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec
from redis.asyncio import Redis

from daebus.errors import Conflict, NotFound
from user_service.contracts import CreateUser, User
from user_service.security import hash_password

VERSION = b"2"  # 1 had password hashes of another kind


class Account(msgspec.Struct):
    """What is kept of a user."""

    user: User
    password: str | None
    last_active: datetime


class Database:
    """The documents of this service, and its audit trail."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis = redis
        self.accounts = f"{prefix}:accounts"
        self.audit = f"{prefix}:audit"


async def open_database(redis: Redis, prefix: str) -> AsyncIterator[Database]:
    """Opened when the service starts, and closed when it stops: a `finally` around the yield would run then."""
    await redis.set(f"{prefix}:version", VERSION, nx=True)
    if await redis.get(f"{prefix}:version") != VERSION:
        raise RuntimeError(
            f"The data under {prefix!r} was written by another version of the user service: "
            "set USERS_PREFIX to another prefix, or delete the data"
        )
    yield Database(redis, prefix)


class UserRepo:
    def __init__(self, db: Database) -> None:
        self._redis = db.redis
        self._key = db.accounts

    async def add(self, new: CreateUser) -> User:
        """Raises `Conflict` where the email is taken."""
        now = datetime.now(UTC)
        user = User(id=_id_of(new.email), email=new.email, name=new.name, created_at=now)
        password = None if new.password is None else await asyncio.to_thread(hash_password, new.password)
        account = Account(user=user, password=password, last_active=now)
        if not await self._redis.hsetnx(self._key, user.id, msgspec.json.encode(account)):
            raise Conflict(f"{new.email} is taken", details={"email": new.email})
        return user

    async def find(self, user_id: str) -> User | None:
        account = await self._load(user_id)
        return None if account is None else account.user

    async def find_account(self, email: str) -> Account | None:
        return await self._load(_id_of(email))

    async def rename(self, user_id: str, name: str) -> User:
        """Raises `NotFound`."""
        account = await self._load(user_id)
        if account is None:
            raise NotFound(f"User {user_id} not found")
        account.user.name = name
        await self.save(account)
        return account.user

    async def all(self) -> list[User]:
        accounts = [account.user for account in await self._load_all()]
        return sorted(accounts, key=lambda user: user.created_at)

    async def mark_active(self, last_seen: Mapping[str, datetime]) -> None:
        for user_id, seen in last_seen.items():
            account = await self._load(user_id)
            if account is not None and account.last_active < seen:
                account.last_active = seen
                await self.save(account)

    async def save(self, account: Account) -> None:
        await self._redis.hset(self._key, account.user.id, msgspec.json.encode(account))

    async def remove_inactive(self, since: datetime) -> list[str]:
        """Remove those who were not seen since then, and return their ids."""
        gone = [account.user.id for account in await self._load_all() if account.last_active < since]
        return [user_id for user_id in gone if await self._redis.hdel(self._key, user_id)]

    async def _load(self, user_id: str) -> Account | None:
        found = await self._redis.hget(self._key, user_id)
        return None if found is None else msgspec.json.decode(found, type=Account)

    async def _load_all(self) -> list[Account]:
        return [msgspec.json.decode(found, type=Account) for found in await self._redis.hvals(self._key)]


def _id_of(email: str) -> str:
    # Made from the email, so that one atomic HSETNX keeps both unique, whichever replica is asked.
    return f"user_{uuid.uuid5(uuid.NAMESPACE_URL, f'mailto:{email.lower()}').hex[:12]}"


class Session:
    """What one message changes, for the audit trail."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def note(self, change: str) -> None:
        self.changes.append(change)


async def open_session(db: Database) -> AsyncIterator[Session]:
    """Write the changes of a message down; if its handler fails, the exception comes out of the yield, and none is."""
    session = Session()
    yield session
    if session.changes:
        await db.redis.rpush(db.audit, *session.changes)
