"""The fence of docs/guide.md."""

import sqlite3

import msgspec
from dependency_injector import providers

from daebus import Action, Blueprint, Context, Daebus, ServiceContainer, Settings
from daebus.errors import Conflict


class Parcel(msgspec.Struct):
    order: str


SHIP = Action[Parcel, str]("ship", service="shipping")


class Carrier:
    async def print_label(self, order: str) -> str:
        return f"label of {order}"


class Shipments:
    def __init__(self, path: str) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS shipments (order_id TEXT PRIMARY KEY, fence TEXT NOT NULL, label TEXT)"
        )

    def begin(self, order: str, fence: str | None) -> str | None:
        """Shut out all earlier deliveries; return the label if one of them has finished."""
        row = self.database.execute(
            "INSERT INTO shipments (order_id, fence) VALUES (:order, :fence)"
            " ON CONFLICT (order_id) DO UPDATE SET fence = :fence WHERE fence < :fence RETURNING label",
            {"order": order, "fence": fence},
        ).fetchone()
        if row is None:
            raise Conflict("a later delivery has begun")
        label: str | None = row[0]
        return label

    def finish(self, order: str, label: str, fence: str | None) -> None:
        done = self.database.execute(
            "UPDATE shipments SET label = :label WHERE order_id = :order AND fence = :fence",
            {"order": order, "label": label, "fence": fence},
        )
        if done.rowcount == 0:
            raise Conflict("a later delivery has begun")


class Container(ServiceContainer):
    path = providers.Object("shipments.db")
    shipments = providers.Singleton(Shipments, path)
    carrier = providers.Singleton(Carrier)


shipping = Blueprint("shipping", services=Container)


@shipping.action(SHIP)
async def ship(parcel: Parcel, context: Context, *, shipments: Shipments, carrier: Carrier) -> str:
    label = shipments.begin(parcel.order, context.fence)
    if label is None:
        label = await carrier.print_label(parcel.order)  # this takes long, and the instance may be cut off meanwhile
        shipments.finish(parcel.order, label, context.fence)
    return label


def make_app(lease: float = 6.0) -> Daebus[Container]:
    app = Daebus("shipping", container=Container(), settings=Settings(lease=lease))
    app.register_blueprint(shipping)
    return app
