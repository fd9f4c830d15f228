"""A handler for an action that belongs to another service."""

from accounts import GetUser, User
from daebus import Action, Blueprint, Daebus

# wrong
GET_USER = Action[GetUser, User]("get_user", service="accounts")
# right
GET_USER = Action[GetUser, User]("get_user", service="users")
# both
users = Blueprint("users")


# ! start-up foreign-contract: action get_user: its contract belongs to the service 'accounts', but this service is 'users'; move the handler to that service, or correct service= of the contract
@users.action(GET_USER)
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users", service="users")
app.register_blueprint(users)
