"""Passwords, and what limits guesses of them."""

from functools import partial

import argon2
from redis.asyncio import Redis

from daebus.errors import TooManyRequests

# The least that OWASP recommends: some 30 ms of a processor and 19 MiB, so call both functions in a thread.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash("no account has this password")

hash_password = _HASHER.hash


def check_password(password: str, hashed: str | None) -> bool:
    """Takes as long for an account that does not exist, so that nobody learns which do."""
    try:
        _HASHER.verify(_NOBODY if hashed is None else hashed, password)
    except argon2.exceptions.VerifyMismatchError:
        return False
    return hashed is not None


class LoginLimit:
    """How often a password may be guessed, for an account or from an address, over all replicas."""

    def __init__(self, redis: Redis, prefix: str, attempts: int, seconds: int) -> None:
        self._redis = redis
        self._key = partial("{}:attempts:{}".format, prefix)
        self._attempts = attempts
        self._seconds = seconds

    async def count(self, subject: str, *, times: int = 1) -> None:
        """Count an attempt; raises `TooManyRequests` if there were more than `times` the usual number."""
        async with self._redis.pipeline() as pipeline:
            pipeline.incr(self._key(subject))
            pipeline.expire(self._key(subject), self._seconds, nx=True)
            tried, _ = await pipeline.execute()
        if tried > self._attempts * times:
            raise TooManyRequests("Too many logins were tried; wait for some minutes")

    async def forget(self, subject: str) -> None:
        """Count from 0 again, as the password was right."""
        await self._redis.delete(self._key(subject))
