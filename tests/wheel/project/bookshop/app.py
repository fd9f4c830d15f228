"""The service."""

from bookshop.books import books
from bookshop.container import Container
from daebus import Daebus, DaebusHttp, DaebusWebSocket

app = Daebus(__name__, container=Container(), service="bookshop")
app.attach(DaebusHttp(port=8080))
app.attach(DaebusWebSocket())
app.register_blueprint(books)

if __name__ == "__main__":
    app.run()
