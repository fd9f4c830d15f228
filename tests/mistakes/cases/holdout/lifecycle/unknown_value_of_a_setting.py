"""A value of a setting that does not exist."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus, Settings

users = Blueprint("users", services=Container)


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# wrong
# ! mypy arg-type: Argument "on_lapse" to "Settings" has incompatible type "Literal['stop']"; expected "Literal['cancel', 'continue']"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['stop']" cannot be assigned to parameter "on_lapse" of type "OnLapse" in function "__init__"
# ! registration wrong-option: Settings(...): on_lapse='stop' is not an allowed value; give one of 'cancel', 'continue'
# ! ty invalid-argument-type
# ! zuban arg-type
app = Daebus("users", container=Container(), settings=Settings(on_lapse="stop"))
# right
app = Daebus("users", container=Container(), settings=Settings(on_lapse="cancel"))
# both
app.register_blueprint(users)
