"""Two services that need each other."""

from __future__ import annotations

from dependency_injector import providers

from accounts import Container
from daebus import Blueprint, Daebus


class Left:
    def __init__(self, right: Right) -> None:
        self.right = right


class Right:
    def __init__(self, left: Left | None = None) -> None:
        self.left = left


class Own(Container):
    # ! registration dependency-cycle: Own.right: it needs itself: right -> left -> right; remove one of these dependencies, or pass the object by a method call after both are created
    right = providers.Singleton(Right)
    left = providers.Singleton(Left, right=right)
    # wrong
    right.add_kwargs(left=left)


users = Blueprint("users", services=Own)


@users.action("use")
async def both(*, left: Left) -> None:
    print(left.right)


app = Daebus("users", container=Own())
app.register_blueprint(users)
