"""A factory of a generator, whose object would never be opened."""

from accounts import Container, GetUser, Session, User, open_session
from daebus import Blueprint, Daebus, PerMessage
from dependency_injector import providers


class Own(Container):
    # wrong
    unit = providers.Factory(open_session, db=Container.db)
    # right
    unit = PerMessage(open_session, db=Container.db)
    # both


users = Blueprint("users", services=Own)


@users.action("get_user")
# ! mypy daebus-wiring: get_user(unit: Session): the provider "unit" of Own gives Iterator[Session], not Session -> make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message
# ! registration never-entered: get_user(unit: Session): it would get the generator of open_session itself, which is never opened; make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message
async def get_user(query: GetUser, *, unit: Session) -> User:
    return User(query.id, str(unit))


app = Daebus("users", container=Own())
app.register_blueprint(users)
