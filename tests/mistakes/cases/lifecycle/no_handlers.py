"""An app without a handler: its blueprint was never registered."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("find")
async def find(user_id: str) -> str:
    return user_id


# ! start-up no-handlers: Daebus('users'): it has no handlers, so it would do nothing; register a blueprint, app.register_blueprint(users), or decorate a handler of the app itself
app = Daebus("users")
# right
app.register_blueprint(users)
