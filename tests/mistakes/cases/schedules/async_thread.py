"""A thread that is `async def`."""

from daebus import Blueprint, Daebus, Running

users = Blueprint("users")


# wrong
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "(running: Running) -> CoroutineType[Any, Any, None]" cannot be assigned to parameter "handler" of type "PayloadHandler[Running, None, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.thread("monitor")
# ! mypy daebus-signature: monitor: a thread runs no event loop -> write it as `def`, or use `background`
# ! registration async-thread: monitor: a thread runs no event loop; write it as `def`, or use `background`
async def monitor(running: Running) -> None:
    while running():
        running.wait(60)


# right
@users.thread("monitor")
def monitor(running: Running) -> None:
    while running():
        running.wait(60)


# both
app = Daebus("users")
app.register_blueprint(users)
