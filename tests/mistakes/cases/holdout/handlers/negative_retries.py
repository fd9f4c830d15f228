"""A negative number of retries, for "always"."""

from accounts import GetUser
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy daebus-value: delete_user: retries=-1, which must be a whole number of at least 0 -> correct it, or leave it out for the default
# ! registration wrong-option: @action('delete_user'): retries=-1, which must be a whole number of at least 0; correct it, or leave it out for the default
@users.action("delete_user", retries=-1)
# right
@users.action("delete_user", retries=100)
# both
async def delete_user(query: GetUser) -> None:
    print(query.id)


app = Daebus("users")
app.register_blueprint(users)
