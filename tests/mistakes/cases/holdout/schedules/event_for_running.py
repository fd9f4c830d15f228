"""A thread that takes an event of the standard library, to see when it must stop."""

from threading import Event

from daebus import Blueprint, Daebus, Running

users = Blueprint("users")


# wrong
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "(running: Event) -> None" cannot be assigned to parameter "handler" of type "PayloadHandler[Running, None, P@__call__, Rest@__call__]" in function "__call__"
# ! ty invalid-argument-type
# ! zuban arg-type
@users.thread("watch")
# ! mypy daebus-signature: watch(running: Event): a thread gets no such value from the message -> put a bare * before "running" if it is a service, or annotate it as Running
# ! mypy daebus-signature: watch: it does not take `running: Running`, so it could not be stopped -> add it left of the *, and return once running() is false
# ! registration unexpected-payload: watch(running: Event): a thread gets no such value from the message; put a bare * before 'running' if it is a service, or annotate it as Running, or remove it
# ! registration unstoppable-thread: watch: it does not take `running: Running`, so it could not be stopped; add `running: Running` left of the *, and return once running() is false
def watch(running: Event) -> None:
    while not running.is_set():
        running.wait(60)


# right
@users.thread("watch")
def watch(running: Running) -> None:
    while running():
        running.wait(60)


# both
app = Daebus("users")
app.register_blueprint(users)
