"""A query parameter of a type that cannot be decoded from a request."""

from accounts import Session, User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.route("/users")
# ! start-up undecodable: get_user(session: Session): it cannot be decoded from a request: Session has no JSON form; use a type that msgspec supports, or put a bare * before 'session' if it is a service
async def get_user(session: Session) -> User:
    return User(str(session))


# right
@users.route("/users")
async def get_user(session: str) -> User:
    return User(session)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
