"""A provider with more arguments than its class takes."""

from accounts import Container, Database
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Own(Container):
    # wrong
    # ! mypy call-arg: Too many arguments for "Database"
    # ! start-up wrong-argument: Own.other: Database cannot be called with these arguments: too many positional arguments; correct the arguments
    other = providers.Singleton(Database, "sqlite://", 5)
    # right
    other = providers.Singleton(Database, "sqlite://")


users = Blueprint("users", services=Own)


@users.action("where")
async def where(*, other: Database) -> str:
    return other.url


app = Daebus("users", container=Own())
app.register_blueprint(users)
