"""A program that uses dependency-injector in its own way, in the environment in which daebus is installed."""

import sys
from collections.abc import Iterator

from dependency_injector import containers, providers
from dependency_injector.errors import NoSuchProviderError
from dependency_injector.wiring import Provide, inject


class Client:
    def __init__(self, key: str, timeout: int) -> None:
        self.key = key
        self.timeout = timeout


class Service:
    def __init__(self, client: Client) -> None:
        self.client = client


def open_pool(size: int) -> Iterator[list[int]]:
    yield [size]


class Container(containers.DeclarativeContainer):
    wiring_config = containers.WiringConfiguration(auto_wire=False)
    config = providers.Configuration(default={"key": "k", "timeout": "5"})
    pool = providers.Resource(open_pool, size=3)
    client = providers.Singleton(Client, key=config.key, timeout=config.timeout.as_int())
    service = providers.Factory(Service, client=client)
    maker = service.provider
    clients = providers.Aggregate(default=client)
    numbers = providers.List(providers.Object(1), providers.Object(2))
    settings = providers.Dict({"a": providers.Object(1)})
    outside = providers.DependenciesContainer()
    delegate = providers.Delegate(service)
    attribute = client.provided.key


@containers.copy(Container)
class Copied(Container):
    pass


class Fakes(containers.DeclarativeContainer):
    client = providers.Singleton(Client, key="fake", timeout=1)


@inject
def use_service(service: Service = Provide[Container.service]) -> str:
    return service.client.key


def test_everything() -> None:
    container = Container()
    container.config.from_dict({"key": "other"})
    container.wire(modules=[sys.modules[__name__]])
    assert use_service() == "other"
    container.unwire()
    assert container.init_resources() is None
    assert container.pool() == [3]
    assert container.shutdown_resources() is None
    assert container.clients("default").timeout == 5
    assert container.numbers() == [1, 2]
    assert container.settings() == {"a": 1}
    assert container.attribute() == "other"
    with container.reset_singletons():
        assert container.client.set_kwargs(key="x", timeout=1)().key == "x"
    with container.override_providers(client=Client("y", 2)):
        assert container.service().client.key == "y"
    container.override(Fakes())
    assert container.service().client.key == "fake"
    assert Copied().client().timeout == 5
    assert isinstance(container.delegate(), providers.Factory)
    assert issubclass(NoSuchProviderError, AttributeError)
    assert providers.is_provider(container.client)
    Container.override(Fakes)
    assert [provider for provider in Container.providers.values() if provider.overridden]
    Container.reset_override()
