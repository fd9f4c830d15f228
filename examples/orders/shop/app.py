from daebus import Daebus, DaebusHttp
from shop.blueprint import shop
from shop.container import Container

app = Daebus(__name__, container=Container(), service="shop")
app.attach(DaebusHttp(port=8080))
app.register_blueprint(shop)

if __name__ == "__main__":
    app.run()
