"""A background task that takes the user."""

from accounts import Container, User
from daebus import Blueprint, Credentials, Daebus, Identity


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token)


class Own(Container):
    user = Identity(find_user)


users = Blueprint("users", services=Own)


# wrong
@users.background("clean", 60)
# ! mypy daebus-wiring: clean(user: User): a background task handles no message of a sender, so it has no user -> pass the user in a message, or remove the parameter
# ! registration no-sender: clean(user: User): a background task handles no message of a sender, so it has no user; pass the user in a message, or remove the parameter
async def clean(*, user: User) -> None:
    print(user.id)


# right
@users.background("clean", 60)
async def clean(*, limit: int) -> None:
    print(limit)


# both
app = Daebus("users", container=Own())
app.register_blueprint(users)
