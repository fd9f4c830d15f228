"""A background task without a name."""

from datetime import timedelta

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument type "timedelta"
# ! mypy untyped-decorator: Untyped decorator makes function "clean" untyped
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "background" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration TypeError: Recorder.background() missing 1 required positional argument: 'name'
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background(every=timedelta(hours=1))
# right
@users.background("clean", every=timedelta(hours=1))
# both
async def clean() -> None: ...


app = Daebus("users")
app.register_blueprint(users)
