"""A Singleton that takes the user of a message."""

from accounts import Container, GetUser, User
from daebus import Blueprint, Credentials, Daebus, Identity
from dependency_injector import providers


class Cart:
    def __init__(self, user: User) -> None:
        self.user = user


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token)


class Own(Container):
    user = Identity(find_user)
    # wrong
    # ! mypy daebus-wiring: Singleton(..., user): the Singleton lives as long as the service, but would keep an object of one message -> make it a providers.Factory, or pass user at each call
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "Identity[User]" cannot be assigned to parameter "args" of type "_Lasting" in function "__init__"
    # ! registration captured-message-object: Own.cart: 'cart' lives as long as the service, but keeps the per-message object of find_user; make 'cart' a providers.Factory, or pass the object at each call
    # ! registration captured-message-object: Own.cart: 'cart' lives as long as the service, but keeps the per-message object of find_user; make 'cart' a providers.Factory, or pass the object at each call
    # ! zuban arg-type
    cart = providers.Singleton(Cart, user)
    # right
    cart = providers.Factory(Cart, user)


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, cart: Cart) -> User:
    return cart.user


app = Daebus("users", container=Own())
app.register_blueprint(users)
