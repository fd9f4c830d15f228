"""A negative interval."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy daebus-value: cleanup: the interval is -60 seconds -> give a number above 0
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "() -> CoroutineType[Any, Any, None]" cannot be assigned to parameter "seconds_must_be_above_0" of type "Never" in function "__call__"
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-schedule: @background('cleanup'): the interval is -60 seconds; give a number above 0
# ! ty invalid-argument-type
# ! zuban arg-type
@users.background("cleanup", -60)
# right
@users.background("cleanup", 60)
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)
