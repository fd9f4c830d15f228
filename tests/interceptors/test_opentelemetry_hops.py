"""One trace from the request of a browser to what is pushed to it, over services, a queue and a retry."""

from __future__ import annotations

from tests.interceptors.spans import Spans
from tests.support import until

from daebus import Action, Bus, Channel, Clients, Context, Daebus, DaebusHttp, DaebusWebSocket, Message
from daebus.errors import Unavailable
from daebus.interceptors.opentelemetry import Tracing
from daebus.testing import running

BUY = Action[str, int]("buy", service="orders")
RESERVE = Action[str, int]("reserve", service="stock")
SOLD = Channel[str]("sold", durable=True)
NEWS = Message[str]("news")


def shop(tracing: Tracing) -> Daebus:
    app = Daebus("shop", interceptors=[tracing])
    app.attach(DaebusHttp())
    app.attach(DaebusWebSocket())

    @app.route("/buy/<what>", methods=["POST"])
    async def buy(what: str, *, bus: Bus) -> int:
        return await bus.call(BUY, what)

    @app.listen(SOLD, retries=1, backoff=0.01)
    async def on_sold(what: str, context: Context, *, clients: Clients) -> None:
        if context.attempt == 1:
            raise Unavailable
        await clients.broadcast(NEWS, what)

    return app


def orders(tracing: Tracing) -> Daebus:
    app = Daebus("orders", interceptors=[tracing])

    @app.action(BUY)
    async def buy(what: str, *, bus: Bus) -> int:
        left = await bus.call(RESERVE, what)
        await bus.publish(SOLD, what, after="commit")
        return left

    return app


def stock(tracing: Tracing) -> Daebus:
    app = Daebus("stock", interceptors=[tracing])

    @app.action(RESERVE)
    async def reserve(_: str) -> int:
        return 6

    return app


async def test_a_trace_has_all_hops() -> None:
    spans = Spans()
    tracing = Tracing(tracer_provider=spans.provider)
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    async with (
        running(shop(tracing)) as service,
        running(orders(tracing)),
        running(stock(tracing)),
        service.socket() as socket,
    ):
        answer = await service.http.post("/buy/pear", headers={"traceparent": f"00-{trace}-{span}-01"})
        assert answer.json() == 6
        assert (await socket.receive()).type == NEWS.name
        await until(lambda: len(spans.ended) == 9)
    assert spans.tree() == [
        "SERVER POST /buy/<what>",
        "  CLIENT orders/buy",
        "    SERVER orders/buy",
        "      CLIENT stock/reserve",
        "        SERVER stock/reserve",
        "      PRODUCER publish sold",
        "        CONSUMER process sold",
        "        CONSUMER process sold",
        "          PRODUCER push news",
    ]
    assert {f"{one.context.trace_id:032x}" for one in spans.ended} == {trace}
    failed, retried, _ = spans.ended[-3:]
    assert failed.attributes["error.type"] == "unavailable"
    assert failed.context.span_id in [link.context.span_id for link in retried.links]
