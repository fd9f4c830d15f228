"""A cron expression of four fields."""

from daebus import Blueprint, Daebus

users = Blueprint("users")


# wrong
# ! mypy daebus-value: clean: the cron expression '0 4 * *' has 4 fields -> give five (minute, hour, day of month, month, day of week), such as '0 3 * * *'
# ! registration wrong-schedule: @background('clean'): the cron expression '0 4 * *' has 4 fields; give five (minute, hour, day of month, month, day of week), such as '0 3 * * *'
@users.background("clean", cron="0 4 * *")
# right
@users.background("clean", cron="0 4 * * *")
# both
async def clean() -> None: ...


app = Daebus("users")
app.register_blueprint(users)
