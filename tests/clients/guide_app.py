"""The service of the examples of docs/guide.md for clients in TypeScript."""

from tests.guide.auctions import auctions
from tests.guide.doors import Container, products

from daebus import Daebus, DaebusHttp, DaebusWebSocket

app = Daebus("products", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(products)
app.register_blueprint(auctions)
