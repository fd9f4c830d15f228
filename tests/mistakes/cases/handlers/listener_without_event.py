"""A listener that does not take the event."""

from accounts import USER_EVENTS, Container, Created, Deleted, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "(*, repo: UserRepo) -> CoroutineType[Any, Any, None]" cannot be assigned to parameter "handler" of type "PayloadHandler[Created | Deleted, Nothing@__call__, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.listen(USER_EVENTS)
# ! mypy daebus-signature: on_event: it does not take the event -> add `event: Created | Deleted` left of the *
# ! registration missing-payload: on_event: it does not take the event; add `event: Created | Deleted` left of the *
async def on_event(*, repo: UserRepo) -> None:
    print(repo)


# right
@users.listen(USER_EVENTS)
async def on_event(event: Created | Deleted, *, repo: UserRepo) -> None:
    print(event, repo)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
