"""A contract that is called in the decorator."""

from accounts import GET_USER, GetUser, User
from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy operator: "Action[GetUser, User]" not callable
# ! pyrefly not-callable
# ! pyright reportCallIssue: Object of type "Action[GetUser, User]" is not callable
# ! pyright reportUnknownArgumentType: Argument type is unknown
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: 'Action' object is not callable
# ! ty dynamic-function-decorator-return
# ! ty not-callable
# ! zuban operator
@users.action(GET_USER())
# right
@users.action(GET_USER)
# both
async def get_user(query: GetUser) -> User:
    return User(query.id)


app = Daebus("users")
app.register_blueprint(users)
