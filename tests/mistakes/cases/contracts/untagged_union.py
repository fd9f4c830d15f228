"""A union of events without tags, which cannot be told apart."""

import msgspec

from daebus import Channel


# wrong
class Paid(msgspec.Struct):
    id: str


class Shipped(msgspec.Struct):
    id: str


# right
class Paid(msgspec.Struct, tag=True):
    id: str


class Shipped(msgspec.Struct, tag=True):
    id: str


# both
# ! registration undecodable: Channel('orders'): it cannot go over the wire as JSON: If a type union contains multiple Struct types, all Struct types must be tagged (via `tag` or `tag_field` kwarg); give each of them a tag: class Created(msgspec.Struct, tag=True)
ORDERS = Channel[Paid | Shipped]("orders")
