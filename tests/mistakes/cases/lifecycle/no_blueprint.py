"""A module that is registered instead of the blueprint in it."""

import shop
from daebus import Blueprint, Daebus

users = Blueprint("users")
app = Daebus("users")
# wrong
# ! mypy arg-type: Argument 1 to "register_blueprint" of "Daebus" has incompatible type Module; expected "Blueprint[ServiceContainer]"
# ! pyright reportArgumentType: Argument of type "Module("shop")" cannot be assigned to parameter "blueprint" of type "Blueprint[ServiceContainer]" in function "register_blueprint"
# ! registration AttributeError: module 'shop' has no attribute 'name'
app.register_blueprint(shop)
# right
app.register_blueprint(users)
