"""The services of examples/orders as they are deployed: with metrics on a port of their own."""

from shop.blueprint import shop as shop_handlers
from shop.container import Container as ShopContainer
from warehouse.blueprint import warehouse as warehouse_handlers
from warehouse.container import Container as WarehouseContainer

from daebus import Daebus, DaebusHttp, Settings
from daebus.interceptors.prometheus import PrometheusMetrics

# Load balancers notice within 5 s that an instance is no longer ready; until then it accepts connections.
settings = Settings(drain_delay=5, stop_timeout=20)

shop = Daebus(
    __name__,
    service="shop",
    container=ShopContainer(),
    settings=settings,
    interceptors=[PrometheusMetrics(port=9464, host="0.0.0.0")],  # noqa: S104  # the network of the containers
)
shop.attach(DaebusHttp(port=8080, allowed_hosts=["localhost", "shop", "orders.example"]))
shop.register_blueprint(shop_handlers)

warehouse = Daebus(
    __name__,
    service="warehouse",
    container=WarehouseContainer(),
    settings=settings,
    interceptors=[PrometheusMetrics(port=9464, host="0.0.0.0")],  # noqa: S104
)
warehouse.register_blueprint(warehouse_handlers)
