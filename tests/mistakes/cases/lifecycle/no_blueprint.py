"""A module that is registered instead of the blueprint in it."""

import accounts
from daebus import Blueprint, Daebus

users = Blueprint("users")


@users.action("ping")
async def ping() -> None: ...


app = Daebus("users")
# wrong
# ! mypy arg-type: Argument 1 to "register_blueprint" of "Daebus" has incompatible type Module; expected "Blueprint[ServiceContainer]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Module("accounts")" cannot be assigned to parameter "blueprint" of type "Blueprint[ServiceContainer]" in function "register_blueprint"
# ! registration wrong-component: register_blueprint(accounts): it is not a blueprint; register an object: users = Blueprint("users")
# ! ty invalid-argument-type
# ! zuban arg-type
app.register_blueprint(accounts)
# right
app.register_blueprint(users)
