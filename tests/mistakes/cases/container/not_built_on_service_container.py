"""A container that does not extend `ServiceContainer`."""

from dependency_injector import containers, providers

from accounts import Database
from daebus import Daebus, ServiceContainer


# wrong
class Own(containers.DeclarativeContainer):
    db = providers.Singleton(Database)


# right
class Own(ServiceContainer):
    db = providers.Singleton(Database)


# both
# ! mypy arg-type: Argument "container" to "Daebus" has incompatible type "Own"; expected "ServiceContainer | None"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Own" cannot be assigned to parameter "container" of type "C@Daebus | None" in function "__init__"
# ! registration wrong-container: container=Own(): it does not extend ServiceContainer; write `class Own(ServiceContainer): ...`, and pass an instance of it
# ! ty invalid-argument-type
# ! zuban type-var
app = Daebus("users", container=Own())


@app.action("ping")
async def ping() -> None: ...
