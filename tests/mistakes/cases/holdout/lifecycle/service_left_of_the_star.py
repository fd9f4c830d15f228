"""A service of an `on_start` function left of the `*`."""

from accounts import GET_USER, Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


@users.on_start()
# wrong
# ! mypy daebus-signature: warm_up(repo: UserRepo): an on_start handler gets no such value from the message -> put a bare * before "repo"
# ! registration forgotten-star: warm_up(repo: UserRepo): it is left of the *, where parameters come from the message, but it is a service; put a bare * before it: warm_up(*, repo: UserRepo)
async def warm_up(repo: UserRepo) -> None:
    print(repo)


# right
async def warm_up(*, repo: UserRepo) -> None:
    print(repo)


# both


app = Daebus("users", container=Container())
app.register_blueprint(users)
