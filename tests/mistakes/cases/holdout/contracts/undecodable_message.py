"""A message to browsers whose data has no JSON form."""

from accounts import Container, User, UserRepo
from daebus import Blueprint, Clients, Daebus, DaebusHttp, DaebusWebSocket, Message

# wrong
# ! mypy type-var: Value of type variable "Data" of "Message" cannot be "UserRepo"
# ! pyrefly bad-specialization
# ! pyright reportInvalidTypeArguments: Type "UserRepo" cannot be assigned to type variable "Data@Message"
# ! registration undecodable: Message('repo'): it cannot go over the wire as JSON: UserRepo has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports
# ! ty invalid-type-arguments
# ! zuban type-var
REPO = Message[UserRepo]("repo")
# right
REPO = Message[User]("repo")
# both

users = Blueprint("users", services=Container)


@users.socket("show")
async def show(data: str, *, repo: UserRepo, clients: Clients) -> None:
    # wrong
    # ! pyrefly bad-specialization
    # ! pyright reportArgumentType: Argument of type "Message[UserRepo]" cannot be assigned to parameter "message" of type "Message[D@broadcast]" in function "broadcast"
    # ! pyright reportArgumentType: Argument of type "UserRepo" cannot be assigned to parameter "data" of type "D@broadcast" in function "broadcast"
    # ! ty invalid-argument-type
    # ! zuban type-var
    # ! zuban type-var
    await clients.broadcast(REPO, repo)
    # right
    await clients.broadcast(REPO, await repo.find(data))


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())
app.register_blueprint(users)
