"""The `Context` right of the `*`, among the services."""

from daebus import Blueprint, Context, Daebus

users = Blueprint("users")


# wrong
@users.action("who")
# ! mypy daebus-signature: who(context: Context): a Context comes from the message, not from the container -> move it left of the *
# ! registration misplaced-payload: who(context: Context): Context comes from the message, not from the container; move it left of the *: who(context: Context)
async def who(*, context: Context) -> str:
    return context.request_id


# right
@users.action("who")
async def who(context: Context) -> str:
    return context.request_id


# both
app = Daebus("users")
app.register_blueprint(users)
