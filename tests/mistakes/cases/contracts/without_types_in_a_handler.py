"""An action without types, in a decorator."""

from accounts import GetUser, User
from daebus import Action, Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! pyright strict reportUnknownArgumentType: Argument type is partially unknown
# ! registration untyped-contract: Action('get_user'): this Action has no types, so nothing could be checked or decoded; write them in brackets, such as Action[Payload, Reply]('get_user')
@users.action(Action("get_user"))
# right
@users.action(Action[GetUser, User]("get_user"))
# both
# ! mypy daebus-signature: get_user: its contract has no types -> write them in brackets, as in Action[Payload, Reply]
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
