"""The minutes of an interval as an option of `background`."""

from datetime import timedelta

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument types "str", "int"
# ! mypy call-overload: Unexpected keyword argument "minutes" for overloaded function "background" of "Recorder"
# ! mypy untyped-decorator: Untyped decorator makes function "tidy" untyped
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: Recorder.background() got an unexpected keyword argument 'minutes'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("tidy", minutes=5)
# right
@users.background("tidy", every=timedelta(minutes=5))
# both
async def tidy(*, repo: UserRepo) -> None:
    await repo.find("1")


print(timedelta)
app = Daebus("users", container=Container())
app.register_blueprint(users)
