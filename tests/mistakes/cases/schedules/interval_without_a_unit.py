"""A number instead of a `timedelta`."""

from datetime import timedelta

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy call-overload: No overload variant of "background" of "Recorder" matches argument types "str", "int"
# ! mypy untyped-decorator: Untyped decorator makes function "cleanup" untyped
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "Literal[60]" cannot be assigned to parameter "every" of type "timedelta" in function "background"
# ! registration wrong-schedule: @background('cleanup'): every=60 is not a timedelta; write every=timedelta(seconds=...)
# ! ty dynamic-function-decorator-return
# ! ty invalid-argument-type
# ! zuban call-overload
# ! zuban untyped-decorator
@users.background("cleanup", every=60)
# right
@users.background("cleanup", every=timedelta(seconds=60))
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)
