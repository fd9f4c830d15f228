"""A provider with an argument of another type than its class takes."""

from dependency_injector import providers

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "UserRepo" has incompatible type "Mailer"; expected "Database"
    # ! start-up wrong-argument: Own.archive: UserRepo takes 'db' as Database, and gets Mailer; give it another provider
    archive = providers.Singleton(UserRepo, db=Container.mailer)
    # right
    archive = providers.Singleton(UserRepo, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("limit")
async def limit(*, archive: UserRepo) -> int:
    return archive.limit


app = Daebus("users", container=Own())
app.register_blueprint(users)
