"""`on_start` without parentheses."""

from accounts import GET_USER, Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# wrong
# ! mypy arg-type: Argument 1 to "on_start" of "Recorder" has incompatible type "def warm_up(*, repo: UserRepo) -> Coroutine[Any, Any, None]"; expected "Never"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "(*, repo: UserRepo) -> CoroutineType[Any, Any, None]" cannot be assigned to parameter "without_brackets" of type "Never" in function "on_start"
# ! registration wrong-name: @on_start: it stands here without brackets; write @on_start()
# ! ty invalid-argument-type
# ! zuban arg-type
@users.on_start
# right
@users.on_start()
# both
async def warm_up(*, repo: UserRepo) -> None:
    print(repo)


app = Daebus("users", container=Container())
app.register_blueprint(users)
