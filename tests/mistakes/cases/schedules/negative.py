"""A negative interval."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy daebus-value: cleanup: the interval is -60 seconds -> give a number above 0
# ! registration wrong-schedule: @background('cleanup'): the interval is -60 seconds; give a number above 0
@users.background("cleanup", -60)
# right
@users.background("cleanup", 60)
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)
