"""A provider with a keyword argument that its class does not take."""

from dependency_injector import providers

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus


class Own(Container):
    # wrong
    # ! mypy call-arg: Unexpected keyword argument "databse" for "UserRepo"
    # ! start-up wrong-argument: Own.archive: UserRepo takes no 'databse'; remove it: it takes db, limit
    archive = providers.Singleton(UserRepo, databse=Container.db)
    # right
    archive = providers.Singleton(UserRepo, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("limit")
async def limit(*, archive: UserRepo) -> int:
    return archive.limit


app = Daebus("users", container=Own())
app.register_blueprint(users)
