"""A thread that sleeps by a method that its switch does not have."""

from accounts import Container
from daebus import Blueprint, BlockingBus, Running

users = Blueprint("users", services=Container)


@users.thread("watcher")
def watch(running: Running, *, blocking_bus: BlockingBus) -> None:
    # wrong
    # ! mypy attr-defined: "Running" has no attribute "sleep"
    # ! pyrefly missing-attribute
    # ! pyright reportAttributeAccessIssue: Cannot access attribute "sleep" for class "Running"
    # ! pyright reportUnknownMemberType: Type of "sleep" is unknown
    # ! ty missing-attribute
    # ! zuban attr-defined
    # ! zuban attr-defined
    while not running.sleep(60):
        print(blocking_bus)
    # right
    while running.wait(60):
        print(blocking_bus)
