"""A provider of the base container class, used by its bare name in a subclass."""

from dependency_injector import providers

from accounts import Mailer
from daebus import Daebus, ServiceContainer


class Own(ServiceContainer):
    # wrong
    # ! mypy name-defined: Name "bus" is not defined
    # ! pyright reportUndefinedVariable: "bus" is not defined
    # ! pyright reportUnknownArgumentType: Argument type is unknown
    # ! registration NameError: name 'bus' is not defined
    # ! ty unresolved-reference
    # ! zuban name-defined
    mailer = providers.Singleton(Mailer, bus=bus)
    # right
    mailer = providers.Singleton(Mailer, bus=ServiceContainer.bus)


app = Daebus("users", container=Own())


@app.action("ping")
async def ping() -> None: ...
