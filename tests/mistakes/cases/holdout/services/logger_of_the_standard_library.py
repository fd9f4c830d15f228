"""The logger with the type of the standard library, which is not that of daebus."""

# wrong
from logging import Logger

# right
from daebus import Logger

# both
from accounts import Container
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


@users.action("ping")
# ! mypy daebus-wiring: ping(logger: Logger): the provider "logger" of Container gives daebus.telemetry.logs.Logger, not logging.Logger -> annotate it as daebus.telemetry.logs.Logger, or change the provider
# ! registration wrong-type: ping(logger: Logger): the provider 'logger' of Container gives daebus.telemetry.logs.Logger; annotate it as daebus.telemetry.logs.Logger, or change the provider
async def ping(*, logger: Logger) -> None:
    logger.warning("ping")


app = Daebus("users", container=Container())
app.register_blueprint(users)
