"""A guard that is `async def`."""

from accounts import Container, GetUser, User, UserRepo
from daebus import Blueprint, Credentials, Daebus, Identity


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token)


class Own(Container):
    user = Identity(find_user)


# wrong
async def is_ada(user: User) -> bool:
    return user.name == "Ada"


# right
def is_ada(user: User) -> bool:
    return user.name == "Ada"


# both


users = Blueprint("users", services=Own)


# ! mypy arg-type: Argument "requires" to "action" of "Recorder" has incompatible type "Callable[[User], Coroutine[Any, Any, bool]]"; expected "Callable[..., bool] | Sequence[Callable[..., bool]]"
# ! pyrefly no-matching-overload
# ! pyright reportArgumentType: Argument of type "(user: User) -> CoroutineType[Any, Any, bool]" cannot be assigned to parameter "requires" of type "Requires" in function "action"
# ! pyright reportCallIssue: No overloads for "action" match the provided arguments
# ! pyright reportUntypedFunctionDecorator: Untyped function decorator obscures type of function; ignoring decorator
# ! registration wrong-guard: @action('get_user'): requires=is_ada is `async def`, and guards are called without waiting; look up what it needs in find_user or in the handler, and write it as `def`
# ! ty dynamic-function-decorator-return
# ! ty no-matching-overload
# ! zuban call-overload
# ! zuban untyped-decorator
@users.action("get_user", requires=is_ada)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


app = Daebus("users", container=Own())
app.register_blueprint(users)
