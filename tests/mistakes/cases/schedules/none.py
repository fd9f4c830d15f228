"""A background task without a schedule."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument type "str"
# ! mypy untyped-decorator: Untyped decorator makes function "cleanup" untyped
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-schedule: @background('cleanup'): a background task has exactly one schedule; give seconds, or every=timedelta(...), or cron='0 3 * * *'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("cleanup")
# right
@users.background("cleanup", 3600)
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)
