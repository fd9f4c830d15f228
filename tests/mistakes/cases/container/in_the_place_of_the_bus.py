"""A provider with the name of one that daebus provides itself."""

from dependency_injector import providers

from accounts import Database
from daebus import Daebus, ServiceContainer


class Own(ServiceContainer):
    # wrong
    # ! mypy assignment: Incompatible types in assignment (expression has type "Singleton[Database]", base class "ServiceContainer" defined the type as "Dependency[Bus]")
    # ! pyrefly bad-assignment
    # ! pyright reportAssignmentType: Type "Singleton[Database]" is not assignable to declared type "Dependency[Bus]"
    # ! registration reserved-name: Own.bus: daebus sets 'bus' itself when the service starts, but a Singleton has this name; give yours another name; in a test, container.bus.override(...) replaces it
    # ! ty invalid-assignment
    # ! zuban assignment
    bus = providers.Singleton(Database)
    # right
    big_bus = providers.Singleton(Database)


app = Daebus("users", container=Own())


@app.action("ping")
async def ping() -> None: ...
