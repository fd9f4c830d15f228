"""A channel that one listener uses as a durable channel and another as a plain one."""

from accounts import Created
from daebus import Blueprint, Channel, Daebus

ORDERS = Channel[Created]("orders", durable=True)
users = Blueprint("users")


@users.listen(ORDERS)
async def keep(event: Created) -> None:
    print(event.id)


# wrong
# ! registration mixed-durability: listen orders: one listener takes 'orders' for a durable channel, another does not, and an event reaches either kind, never both; give both listeners the same Channel contract
@users.listen("orders")
# right
@users.listen(ORDERS)
# both
async def show(event: Created) -> None:
    print(event.id)


app = Daebus("users")
app.register_blueprint(users)
