"""A cron expression with a field for seconds."""

from accounts import Container, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy daebus-value: tidy: the cron expression '0 0 3 * * MON' has 6 fields -> give five (minute, hour, day of month, month, day of week), such as '0 3 * * *'
# ! registration wrong-schedule: @background('tidy'): the cron expression '0 0 3 * * MON' has 6 fields; give five (minute, hour, day of month, month, day of week), such as '0 3 * * *'
@users.background("tidy", cron="0 0 3 * * MON")
# right
@users.background("tidy", cron="0 3 * * MON")
# both
async def tidy(*, repo: UserRepo) -> None:
    await repo.find("1")


app = Daebus("users", container=Container())
app.register_blueprint(users)
