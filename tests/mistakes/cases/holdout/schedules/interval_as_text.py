"""An interval as a text with a unit."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument types "str", "str"
# ! mypy untyped-decorator: Untyped decorator makes function "clean_up" untyped
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal['1h']" cannot be assigned to parameter "seconds" of type "float" in function "background"
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-schedule: @background('clean_up'): the interval '1h' is not a number of seconds; give seconds, or every=timedelta(...), or cron= with five fields, such as '0 3 * * *'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("clean_up", "1h")
# right
@users.background("clean_up", 3600)
# both
async def clean_up(*, repo: UserRepo) -> None:
    print(repo)


app = Daebus("users", container=Container())
app.register_blueprint(users)
