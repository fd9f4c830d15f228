"""A provider that is not given what its class needs."""

from dependency_injector import providers

from daebus import Blueprint, Daebus
from shop import Container, UserRepo


class Own(Container):
    # wrong
    # ! mypy call-arg: Missing positional argument "db" in call to "UserRepo"
    # ! start-up wrong-argument: Own.archive: UserRepo needs 'db', and nothing gives it; add db=db
    archive = providers.Singleton(UserRepo)
    # right
    archive = providers.Singleton(UserRepo, Container.db)


users = Blueprint("users", services=Own)


@users.action("limit")
async def limit(*, archive: UserRepo) -> int:
    return archive.limit


app = Daebus("users", container=Own())
app.register_blueprint(users)
