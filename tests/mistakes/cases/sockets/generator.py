"""A socket handler that yields its answers."""

from collections.abc import AsyncIterator

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
# ! pyrefly bad-specialization
# ! pyright reportArgumentType: Argument of type "(data: GetUser) -> AsyncIterator[User]" cannot be assigned to parameter "handler" of type "Answering@__call__" in function "__call__"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty invalid-argument-type
# ! zuban type-var
@users.socket("get_user")
# ! mypy daebus-signature: get_user: a socket handler cannot be an async generator -> return one value
# ! registration unexpected-stream: get_user: a socket handler cannot be an async generator; return one value
async def get_user(data: GetUser) -> AsyncIterator[User]:
    yield User(data.id)


# right
@users.socket("get_user")
async def get_user(data: GetUser) -> User:
    return User(data.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
