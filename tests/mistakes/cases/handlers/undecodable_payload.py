"""A payload that cannot be decoded from JSON."""

from accounts import GetUser, Session, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
@users.action("get_user")
# ! mypy daebus-signature: get_user(query: Session): the payload cannot be decoded from a message into a Session -> put a bare * before "query" if it is a service, or take a msgspec.Struct or a dataclass
# ! registration undecodable: get_user(query: Session): it cannot be decoded from JSON: Session has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports; put a bare * before 'query' if it is a service
async def get_user(query: Session) -> User:
    return User(str(query))


# right
@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


# both
app = Daebus("users")
app.register_blueprint(users)
