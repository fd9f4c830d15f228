"""A class as an argument of a provider, where an object is needed."""

from accounts import Container, Database, GetUser, User, UserRepo
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "UserRepo" has incompatible type "type[Database]"; expected "Database"
    # ! start-up wrong-argument: Own.archive: UserRepo takes 'db' as an object, and gets the class Database; make a provider of it: db=providers.Singleton(Database)
    archive = providers.Singleton(UserRepo, db=Database)
    # right
    archive = providers.Singleton(UserRepo, db=Container.db)
    # both


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, archive: UserRepo) -> User:
    return await archive.find(query.id)


app = Daebus("users", container=Own())
app.register_blueprint(users)
