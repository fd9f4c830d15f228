"""A type as the argument of a provider, instead of a provider."""

from accounts import Container, GetUser, Mailer, User
from daebus import Blueprint, Bus, Daebus, ServiceContainer
from dependency_injector import providers


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "Mailer" has incompatible type "type[Bus]"; expected "Bus"
    # ! start-up wrong-argument: Own.post: Mailer takes 'bus' as an object, and gets the class Bus; make a provider of it: bus=providers.Singleton(Bus)
    post = providers.Singleton(Mailer, bus=Bus)
    # right
    post = providers.Singleton(Mailer, bus=ServiceContainer.bus)


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, post: Mailer) -> User:
    return User(query.id)


print(Bus, ServiceContainer)
app = Daebus("users", container=Own())
app.register_blueprint(users)
