"""Two contracts of one action, which do not agree about its reply."""

from accounts import GET_USER, Container, GetUser, User
from daebus import Action, Blueprint, Bus, Daebus

# wrong
USER_NAME = Action[GetUser, str]("get_user")
# right
USER_NAME = Action[GetUser, str]("get_user_name", service="names")
# both

users = Blueprint("users", services=Container)


@users.action(GET_USER)
async def get_user(query: GetUser) -> User:
    return User(query.id)


@users.action("greet")
async def greet(query: GetUser, *, bus: Bus) -> str:
    return "Hello " + await bus.call(USER_NAME, query)


app = Daebus("users", container=Container())
app.register_blueprint(users)
