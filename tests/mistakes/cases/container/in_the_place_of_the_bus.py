"""A provider in the place of one that daebus itself fills."""

from dependency_injector import providers

from accounts import Database
from daebus import Daebus, ServiceContainer


class Own(ServiceContainer):
    # wrong
    # ! mypy assignment: Incompatible types in assignment (expression has type "Singleton[Database]", base class "ServiceContainer" defined the type as "Dependency[Bus]")
    # ! pyright reportAssignmentType: Type "Singleton[Database]" is not assignable to declared type "Dependency[Bus]"
    # ! registration reserved-name: Own.bus: daebus itself fills 'bus' when the service starts, and cannot where a Singleton stands; give yours another name; for a test, container.bus.override(...) replaces it
    bus = providers.Singleton(Database)
    # right
    big_bus = providers.Singleton(Database)


app = Daebus("users", container=Own())


@app.action("ping")
async def ping() -> None: ...
