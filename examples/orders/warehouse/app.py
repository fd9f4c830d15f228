from daebus import Daebus
from warehouse.blueprint import warehouse
from warehouse.container import Container

app = Daebus(__name__, container=Container(), service="warehouse")
app.register_blueprint(warehouse)

if __name__ == "__main__":
    app.run()
