"""A plain attribute of the container, which is not a provider."""

from dependency_injector import providers

from accounts import Container
from daebus import Blueprint, Daebus


class Own(Container):
    # wrong
    retries = 3
    # right
    retries = providers.Object(3)


users = Blueprint("users", services=Own)


@users.action("retries")
# ! mypy daebus-wiring: retries(retries: int): Own.retries is not a provider -> make it one: retries = providers.Object(...)
# ! registration not-a-provider: retries(retries: int): Own.retries is not a provider; make it one: retries = providers.Object(...)
async def retries(*, retries: int) -> int:
    return retries


app = Daebus("users", container=Own())
app.register_blueprint(users)
