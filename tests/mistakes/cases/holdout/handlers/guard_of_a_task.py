"""A guard of a background task, which has no sender."""

from accounts import Container, User, UserRepo
from daebus import Blueprint, Daebus


def is_ada(user: User | None) -> bool:
    return user is not None and user.name == "Ada"


users = Blueprint("users", services=Container)


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument types "str", "int", "Callable[[User | None], bool]"
# ! mypy call-overload: Unexpected keyword argument "requires" for overloaded function "background" of "Recorder"
# ! mypy untyped-decorator: Untyped decorator makes function "tidy" untyped
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: Recorder.background() got an unexpected keyword argument 'requires'
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("tidy", 60, requires=is_ada)
# right
@users.background("tidy", 60)
# both
async def tidy(*, repo: UserRepo) -> None:
    await repo.find("1")


print(is_ada)
app = Daebus("users", container=Container())
app.register_blueprint(users)
