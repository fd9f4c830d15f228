"""Passwords and tokens."""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Takes some 50 ms of a processor: call it in a thread."""
    salt = secrets.token_bytes(16) if salt is None else salt
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"{salt.hex()}:{digest.hex()}"


def check_password(password: str, hashed: str | None) -> bool:
    if hashed is None:
        return False
    salt, _, _ = hashed.partition(":")
    return hmac.compare_digest(hash_password(password, bytes.fromhex(salt)), hashed)


def make_token() -> str:
    return secrets.token_hex(16)


class Tokens:
    """Who logged in. Redis forgets a token when it expires."""

    def __init__(self, redis: Redis, prefix: str, seconds: int) -> None:
        self._redis = redis
        self._prefix = prefix
        self.seconds = seconds

    async def issue(self, token: str, user_id: str) -> None:
        await self._redis.set(f"{self._prefix}:token:{token}", user_id, ex=self.seconds)

    async def owner(self, token: str) -> str | None:
        """The id of the user; None for a token that is unknown or expired."""
        found = await self._redis.get(f"{self._prefix}:token:{token}")
        return found.decode() if isinstance(found, bytes) else found
