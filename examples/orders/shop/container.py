from dependency_injector import providers

from daebus import ServiceContainer
from shop.store import Orders, Shelf


class Container(ServiceContainer):
    orders = providers.Singleton(Orders, redis=ServiceContainer.redis)
    shelf = providers.Singleton(Shelf)
