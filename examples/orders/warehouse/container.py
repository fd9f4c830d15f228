from dependency_injector import providers

from daebus import ServiceContainer
from warehouse.store import Stock


class Container(ServiceContainer):
    stock = providers.Singleton(Stock, redis=ServiceContainer.redis)
