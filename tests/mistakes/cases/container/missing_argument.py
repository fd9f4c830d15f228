"""A provider without an argument that its class needs."""

from dependency_injector import providers

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus


class Own(Container):
    # wrong
    # ! mypy call-arg: Missing positional argument "db" in call to "UserRepo"
    # ! start-up wrong-argument: Own.archive: UserRepo needs 'db', which is not given; add db=db
    archive = providers.Singleton(UserRepo)
    # right
    archive = providers.Singleton(UserRepo, Container.db)


users = Blueprint("users", services=Own)


@users.action("limit")
async def limit(*, archive: UserRepo) -> int:
    return archive.limit


app = Daebus("users", container=Own())
app.register_blueprint(users)
