"""A thread without the parameter `running`, so it could not be stopped."""

from daebus import Blueprint, Daebus, Running

users = Blueprint("users")


# wrong
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "() -> None" cannot be assigned to parameter "handler" of type "PayloadHandler[Running, None, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.thread("monitor")
# ! mypy daebus-signature: monitor: it does not take `running: Running`, so it could not be stopped -> add it left of the *, and return once running() is false
# ! registration unstoppable-thread: monitor: it does not take `running: Running`, so it could not be stopped; add `running: Running` left of the *, and return once running() is false
def monitor() -> None:
    print("monitoring")


# right
@users.thread("monitor")
def monitor(running: Running) -> None:
    while running():
        running.wait(60)


# both
app = Daebus("users")
app.register_blueprint(users)
