"""A class as a handler."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Daebus

users = Blueprint("users", services=Container)


# wrong
# ! mypy arg-type: Argument 1 to "__call__" of "NamedDecorator" has incompatible type "type[GetUserHandler]"; expected "ContextPayloadHandler[Never, AsyncIterator[Never], Never, Never]"
# ! pyright reportArgumentType: Argument of type "type[GetUserHandler]" cannot be assigned to parameter "handler" of type "(**P@__call__) -> Reply@__call__" in function "__call__"
# ! pyright reportCallIssue: No overloads for "__call__" match the provided arguments
# ! pyright reportUntypedClassDecorator: Untyped class decorator obscures type of class; ignoring decorator
# ! registration not-a-function: action get_user of 'users': the handler is not a function, but a class; write a function that calls it
# ! ty no-matching-overload
# ! zuban call-overload
@users.action("get_user")
class GetUserHandler:
    def __init__(self, repo: UserRepo) -> None:
        self.repo = repo

    async def __call__(self, query: GetUser) -> User:
        return await self.repo.find(query.id)


# right


@users.action("get_user")
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
