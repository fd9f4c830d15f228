"""The service that docs/guide.md shows, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import msgspec
from dependency_injector import providers
from redis.asyncio import Redis

from daebus import (
    Action,
    BlockingBus,
    Blueprint,
    Bus,
    Channel,
    Client,
    Clients,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Logger,
    Message,
    PerMessage,
    Reject,
    Run,
    Running,
    ServiceContainer,
    StreamAction,
)
from daebus.errors import Conflict, Timeout, Unavailable


class Pay(msgspec.Struct):
    order: str
    cents: int


class Receipt(msgspec.Struct):
    order: str
    total: int


class Paid(msgspec.Struct, tag=True):
    order: str


class Refunded(msgspec.Struct, tag=True):
    order: str


PAY = Action[Pay, Receipt]("pay", service="payments")
COUNT = StreamAction[int, int]("count", service="payments")
PAYMENTS = Channel[Paid | Refunded]("payments", durable=True)
RECEIPT = Message[Receipt]("receipt")


class Ledger:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, cents: int) -> int:
        return int(await self._redis.incrby("payments:total", cents))


class Audit:
    def __init__(self) -> None:
        self.notes: list[str] = []


async def open_audit(logger: Logger) -> AsyncIterator[Audit]:
    audit = Audit()
    yield audit  # an exception of the handler is raised here, so that it can be rolled back
    logger.info("audit", notes=audit.notes)


class Container(ServiceContainer):
    ledger = providers.Singleton(Ledger, redis=ServiceContainer.redis)
    audit = PerMessage(open_audit, logger=ServiceContainer.logger)


payments = Blueprint("payments", services=Container)


class CardDeclined(Conflict):
    """The card was declined."""

    code = "card_declined"


@payments.action(PAY, timeout=5)
async def pay(order: Pay, *, ledger: Ledger, audit: Audit, bus: Bus) -> Receipt:
    if order.cents > 1_000_000:
        raise CardDeclined(details={"limit": 1_000_000})
    total = await ledger.add(order.cents)
    audit.notes.append(f"{order.order} was paid")
    await bus.publish(PAYMENTS, Paid(order.order))
    return Receipt(order.order, total)


@payments.listen(PAYMENTS, retries=8, backoff=0.5, timeout=10)
async def on_payment(event: Paid | Refunded, *, logger: Logger) -> None:
    match event:
        case Paid(order):
            logger.info("paid", order=order)
        case Refunded(order):
            logger.info("refunded", order=order)


@payments.listen(PAYMENTS, name="mails", renamed_from="payments.send_mail", start="latest")
async def mail(event: Paid | Refunded, *, logger: Logger) -> None:
    logger.info("mail", event_type=type(event).__name__)


@payments.action(COUNT)
async def count(limit: int) -> AsyncIterator[int]:
    for number in range(limit):
        yield number
        await asyncio.sleep(0)


@payments.route("/pay", methods=["POST"], status_code=201)
async def http_pay(data: Pay, *, bus: Bus) -> Receipt:
    try:
        return await bus.call(pay, data, timeout=2, idempotency_key=data.order)
    except (Timeout, Unavailable) as error:
        raise Unavailable("Payments are slow today; ask again with the same order") from error


@payments.route("/pay/<order>")
async def http_find(order: str, days: Annotated[int, msgspec.Meta(ge=1)] = 30, *, ledger: Ledger) -> Receipt:
    return Receipt(order, await ledger.add(0))


class Login(msgspec.Struct):
    user: str = ""


@payments.socket_connect()
async def on_connect(params: Login, client: Client) -> None:
    if not params.user:
        raise Reject("Say who you are: /ws?user=...")
    client.state[Login] = params


@payments.socket("pay")
async def ws_pay(order: Pay, client: Client, *, bus: Bus, clients: Clients, logger: Logger) -> Receipt:
    receipt = await bus.call(pay, order)
    await clients.broadcast(RECEIPT, receipt)
    logger.info("paid", user=client.state[Login].user)
    return receipt


@payments.socket("ws_count")
async def ws_count(limit: int, client: Client) -> AsyncIterator[int]:
    for number in range(limit):
        yield number


@payments.background("settle", cron="30 2 * * *", zone="Europe/Berlin", catch_up=86400, pause_after=3)
async def settle(run: Run, *, logger: Logger) -> None:
    logger.info("settle", since=str(run.previous), until=str(run.scheduled_for), token=run.token)


@payments.background("report", every=timedelta(hours=1))
async def report(*, ledger: Ledger, logger: Logger) -> None:
    logger.info("total", cents=await ledger.add(0))


@payments.thread("watcher", restart=True)
def watch(running: Running, *, blocking_bus: BlockingBus) -> None:
    while running.wait(60):
        blocking_bus.send(PAY, Pay("fee", 1))


app = Daebus("payments", container=Container())
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(payments)

if __name__ == "__main__":
    app.run()
