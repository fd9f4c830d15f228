"""A blueprint that is attached, instead of registered."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("get_user")
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
# wrong
# ! mypy arg-type: Argument 1 to "attach" of "Daebus" has incompatible type "Blueprint[ServiceContainer]"; expected "DaebusHttp | DaebusWebSocket | Component"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Blueprint[ServiceContainer]" cannot be assigned to parameter "component" of type "DaebusHttp | DaebusWebSocket | Component" in function "attach"
# ! registration wrong-component: attach(<daebus.app.blueprint.Blueprint object && >): it is not a component; attach DaebusHttp(...), DaebusWebSocket(...), or an object with serving(run)
# ! ty invalid-argument-type
# ! zuban arg-type
app.attach(users)
# right
app.register_blueprint(users)
