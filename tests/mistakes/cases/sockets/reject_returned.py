"""A `Reject` that is returned instead of raised, so the client would be accepted."""

from daebus import Blueprint, Client, Daebus, DaebusHttp, DaebusWebSocket, Reject

users = Blueprint("users")


@users.socket_connect()
async def connect(client: Client) -> str:
    if not client.id:
        # wrong
        # ! mypy return-value: Incompatible return value type (got "Reject", expected "str")
        # ! pyrefly bad-return
        # ! pyright reportReturnType: Type "Reject" is not assignable to return type "str"
        # ! ty invalid-explicit-return
        # ! zuban return-value
        return Reject("no id")
        # right
        raise Reject("no id")
        # both
    return client.id


app = Daebus("users")
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
