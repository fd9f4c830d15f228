"""A path parameter with its type in the path, as in Flask."""

from accounts import Container, User, UserRepo
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users", services=Container)


# wrong
# ! mypy daebus-path: get_user: '<int:number>' is not how a path parameter is written -> write <number>, and annotate it: number: int
# ! registration malformed-path: route GET && '<int:number>' is not how a path parameter is written; write <number>, and annotate it: number: int
@users.route("/users/<int:number>")
# right
@users.route("/users/<number>")
# both
async def get_user(number: int, *, repo: UserRepo) -> User:
    return await repo.find(str(number))


app = Daebus("users", container=Container())
app.attach(DaebusHttp())
app.register_blueprint(users)
