"""A connect handler that yields its greeting."""

from collections.abc import AsyncIterator

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# wrong
# ! pyrefly bad-specialization
# ! pyright reportArgumentType: Argument of type "(params: GetUser) -> AsyncIterator[User]" cannot be assigned to parameter "handler" of type "Answering@__call__" in function "__call__"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! ty invalid-argument-type
# ! zuban type-var
@users.socket_connect()
# ! mypy daebus-signature: connect: a connect handler cannot be an async generator -> return one value
# ! registration unexpected-stream: connect: a connect handler cannot be an async generator; return one value
async def connect(params: GetUser) -> AsyncIterator[User]:
    yield User(params.id)


# right
@users.socket_connect()
async def connect(params: GetUser) -> User:
    return User(params.id)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
