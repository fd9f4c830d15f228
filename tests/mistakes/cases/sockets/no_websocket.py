"""A socket handler in an app without WebSockets."""

from accounts import GetUser, User
from daebus import Blueprint, Daebus, DaebusHttp, DaebusWebSocket

users = Blueprint("users")


# ! start-up not-attached: socket get_user: the app has no WebSocket to serve it; call app.attach(DaebusWebSocket()) before the start
@users.socket("get_user")
async def get_user(data: GetUser) -> User:
    return User(data.id)


app = Daebus("users")
app.attach(DaebusHttp())
# right
app.attach(DaebusWebSocket())
# both
app.register_blueprint(users)
