"""The stock, in Redis, for all replicas of the warehouse."""

import msgspec
from redis.asyncio import Redis

from warehouse.contracts import OutOfStock, Reserve

_STOCK = "warehouse:stock"
_RESERVED = "warehouse:reserved"
_SHIPPED = "warehouse:shipped"


class Stock:
    """Every change may be asked for twice, as messages are delivered at least once, and happens once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def fill(self, item: str, quantity: int) -> int:
        """Put an item on the shelf unless it is there already; returns what is left."""
        await self._redis.hsetnx(_STOCK, item, quantity)
        return int(await self._redis.hget(_STOCK, item) or 0)

    async def levels(self) -> dict[str, int]:
        found = await self._redis.hgetall(_STOCK)
        return {item.decode() if isinstance(item, bytes) else item: int(left) for item, left in found.items()}

    async def reserve(self, wanted: Reserve) -> int:
        """Returns what is left. Raises `OutOfStock`."""
        if not await self._redis.hsetnx(_RESERVED, wanted.order_id, msgspec.json.encode(wanted)):
            return (await self.levels())[wanted.item]
        left = await self._redis.hincrby(_STOCK, wanted.item, -wanted.quantity)
        if left < 0:
            left = await self.release(wanted.order_id)
            raise OutOfStock(f"Only {left} of {wanted.item!r} left", details={"item": wanted.item, "left": left})
        return left

    async def release(self, order_id: str) -> int:
        """Put back what was reserved; returns what is left."""
        found = await self._redis.hget(_RESERVED, order_id)
        if found is None:
            return 0
        reserved = msgspec.json.decode(found, type=Reserve)
        back = reserved.quantity if await self._redis.hdel(_RESERVED, order_id) else 0
        return await self._redis.hincrby(_STOCK, reserved.item, back)

    async def ship(self, order_id: str) -> bool:
        """Whether it was not shipped before."""
        return bool(await self._redis.hsetnx(_SHIPPED, order_id, 1))
