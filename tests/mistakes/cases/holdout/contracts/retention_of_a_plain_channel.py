"""A retention of a channel that keeps nothing, as it is not durable."""

from accounts import Container, Created
from daebus import Blueprint, Channel, Daebus, Logger

# wrong
# ! mypy call-overload: No overload variant of "Channel" matches argument types "str", "int"
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "__init__" match the provided arguments
# ! registration wrong-option: Channel('arrivals'): retention=3600, but the channel is not durable, so it keeps no events; add durable=True, or leave retention out
# ! ty no-matching-overload
# ! zuban call-overload
ARRIVALS = Channel[Created]("arrivals", retention=3600)
# right
ARRIVALS = Channel[Created]("arrivals", durable=True, retention=3600)
# both

users = Blueprint("users", services=Container)


# ! mypy strict untyped-decorator: Untyped decorator makes function "on_arrival" untyped
# ! zuban strict untyped-decorator
@users.listen(ARRIVALS)
async def on_arrival(event: Created, *, logger: Logger) -> None:
    logger.info("arrived", id=event.id)


app = Daebus("users", container=Container())
app.register_blueprint(users)
