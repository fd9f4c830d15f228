"""A cron expression with an hour that does not exist."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy daebus-value: cleanup: the hour of the cron expression '0 25 * * *' is malformed, out of range, or never matches -> give five fields, such as '0 3 * * *'
# ! registration wrong-schedule: @background('cleanup'): the hour of the cron expression '0 25 * * *' is malformed, out of range, or never matches; give seconds, or every=timedelta(...), or cron= with five fields, such as '0 3 * * *'
@users.background("cleanup", cron="0 25 * * *")
# right
@users.background("cleanup", cron="0 23 * * *")
# both
async def cleanup() -> None:
    print("cleaning up")


app = Daebus("users")
app.register_blueprint(users)
