"""A provider of the base container whose name is misspelt."""

from accounts import Container, Database
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Counter:
    def __init__(self, db: Database) -> None:
        self.db = db


class Own(Container):
    # wrong
    # ! mypy attr-defined: "type[Container]" has no attribute "databse"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "databse" for class "type[Container]"
    # ! pyright reportUnknownArgumentType: Argument type is unknown
    # ! pyright reportUnknownMemberType: Type of "databse" is unknown
    # ! registration AttributeError: type object 'Container' has no attribute 'databse'
    # ! ty missing-attribute
    # ! zuban attr-defined
    counter = providers.Singleton(Counter, db=Container.databse)
    # right
    counter = providers.Singleton(Counter, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("count")
async def count(*, counter: Counter) -> str:
    return counter.db.url


app = Daebus("users", container=Own())
app.register_blueprint(users)
