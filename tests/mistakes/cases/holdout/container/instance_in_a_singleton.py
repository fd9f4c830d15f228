"""A singleton of an object, instead of the class of which it should make one."""

from accounts import Container, Database, GetUser, User, UserRepo
from daebus import Blueprint, Daebus
from dependency_injector import providers


class Own(Container):
    # wrong
    # ! mypy arg-type: Argument 1 to "Singleton" has incompatible type "UserRepo"; expected "Callable[..., Any]"
    # ! mypy arg-type: Argument 1 to "Singleton" has incompatible type "UserRepo"; expected "Callable[..., Never]"
    # ! mypy var-annotated: Need type annotation for "archive"
    # ! pyrefly bad-argument-type
    # ! pyright reportArgumentType: Argument of type "UserRepo" cannot be assigned to parameter "provides" of type "(...) -> T@Singleton" in function "__init__"
    # ! pyright reportUnknownVariableType: Type of "archive" is partially unknown
    # ! registration Error: Provider Callable expected to get callable, got <accounts.UserRepo object && > instead
    # ! ty invalid-argument-type
    # ! zuban arg-type
    # ! zuban var-annotated
    archive = providers.Singleton(UserRepo(Database()))
    # right
    archive = providers.Singleton(UserRepo, db=Container.db)
    # both


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, archive: UserRepo) -> User:
    return await archive.find(query.id)


app = Daebus("users", container=Own())
app.register_blueprint(users)
