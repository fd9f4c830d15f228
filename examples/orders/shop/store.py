"""What the shop keeps: orders in Redis, for all its replicas; and in memory what the warehouse last said it has."""

import secrets

import msgspec
from redis.asyncio import Redis

from shop.contracts import Order, PlaceOrder

_KEY = "shop:orders"


class Orders:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def draft(self, wanted: PlaceOrder) -> Order:
        """An order that is not saved."""
        return Order(id=secrets.token_hex(8), item=wanted.item, quantity=wanted.quantity)

    async def save(self, order: Order) -> None:
        await self._redis.hset(_KEY, order.id, msgspec.json.encode(order))

    async def find(self, order_id: str) -> Order | None:
        found = await self._redis.hget(_KEY, order_id)
        return None if found is None else msgspec.json.decode(found, type=Order)


class Shelf:
    """How much there is of each item, as far as this replica knows."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
