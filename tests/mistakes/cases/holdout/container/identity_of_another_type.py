"""An Identity that returns whether somebody is known, where the handler wants the user."""

from accounts import Container, User
from daebus import Blueprint, Credentials, Daebus, Identity


# wrong
async def find_user(credentials: Credentials) -> bool | None:
    return credentials.token == "secret"


# right
async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.token else None


# both
class Own(Container):
    user = Identity(find_user)


users = Blueprint("users", services=Own)


@users.action("me")
# ! mypy daebus-wiring: me(user: User): the provider "user" of Own gives bool, not User -> annotate it as bool, or change the provider
# ! registration wrong-type: me(user: User): the provider 'user' of Own gives bool; annotate it as bool, or change the provider
async def me(*, user: User) -> User:
    return user


app = Daebus("users", container=Own())
app.register_blueprint(users)
