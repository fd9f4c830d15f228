"""The outgoing interceptor of docs/guide.md that adds a header."""

import msgspec

from daebus import Action, Bus, Context, Daebus, DaebusHttp
from daebus.interceptors import Forward, Outgoing

PRICES = Action[None, str]("prices", service="catalogue")


class PassTenant:
    def outgoing(self, forward: Forward) -> Forward:
        async def sent(outgoing: Outgoing) -> msgspec.Raw:
            if outgoing.context is not None and "x-tenant" in outgoing.context.headers:
                outgoing.headers.setdefault("x-tenant", outgoing.context.headers["x-tenant"])
            return await forward(outgoing)

        return sent


app = Daebus("storefront", interceptors=[PassTenant()])
app.attach(DaebusHttp(port=0))
catalogue = Daebus("catalogue")


@catalogue.action(PRICES)
async def prices(context: Context) -> str:
    return f"prices for {context.headers.get('x-tenant', 'everybody')}"


@app.route("/prices")
async def show(*, bus: Bus) -> str:
    return await bus.call(PRICES)


@app.route("/prices/own")
async def show_own(*, bus: Bus) -> str:
    return await bus.call(PRICES, headers={"x-tenant": "own"})
