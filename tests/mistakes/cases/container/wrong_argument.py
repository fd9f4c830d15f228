"""A provider that is given something of another type than its class takes."""

from dependency_injector import providers

from daebus import Blueprint, Daebus
from shop import Container, UserRepo


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "UserRepo" has incompatible type "Session"; expected "Database"
    # ! registration captured-message-object: Own.archive: 'archive' lives as long as the service, but keeps the per-message object of open_session; make 'archive' a providers.Factory, or pass the object at each call
    archive = providers.Singleton(UserRepo, db=Container.session)
    # right
    archive = providers.Singleton(UserRepo, db=Container.db)


users = Blueprint("users", services=Own)


@users.action("limit")
async def limit(*, archive: UserRepo) -> int:
    return archive.limit


app = Daebus("users", container=Own())
app.register_blueprint(users)
