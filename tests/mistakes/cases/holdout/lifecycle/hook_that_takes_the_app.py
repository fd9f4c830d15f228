"""A start handler that takes the app as a parameter."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.on_start()
# wrong
# ! mypy daebus-signature: warm_up(app: Daebus[ServiceContainer]): an on_start handler gets no such value from the message -> put a bare * before "app"
# ! registration unexpected-payload: warm_up(app: Daebus): an on_start handler gets no message, so this parameter would have no value; put a bare * before 'app' if it is a service, or remove it
async def warm_up(app: Daebus, *, repo: UserRepo) -> None:
    await repo.find("1")


# right
async def warm_up(*, repo: UserRepo) -> None:
    await repo.find("1")


# both


app = Daebus("users", container=Container())
app.register_blueprint(users)
