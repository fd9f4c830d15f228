"""The function of an Identity that takes the token as text, instead of the credentials."""

from accounts import Container, GetUser, User
from daebus import Blueprint, Credentials, Daebus, Identity


# wrong
async def find_user(token: str) -> User | None:
    return User(token)


# right
async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token)


# both


print(Credentials)


class Own(Container):
    # ! mypy arg-type: Argument 1 to "Identity" has incompatible type "Callable[[str], Coroutine[Any, Any, User | None]]"; expected "def (Credentials, && *Any, **Any) -> Awaitable[User | None]"
    # ! pyrefly no-matching-overload
    # ! pyright reportArgumentType: Argument of type "(token: str) -> CoroutineType[Any, Any, User | None]" cannot be assigned to parameter "find_user" of type "(Credentials, ...) -> (U@Identity | None)" in function "__init__"
    # ! pyright reportCallIssue: No overloads for "__init__" match the provided arguments
    # ! start-up wrong-argument: Own.user: find_user takes 'token' as str, and gets Credentials; give it another provider
    # ! ty no-matching-overload
    # ! zuban call-overload
    user = Identity(find_user)


users = Blueprint("users", services=Own)


@users.action("get_user")
async def get_user(query: GetUser, *, user: User) -> User:
    return user


app = Daebus("users", container=Own())
app.register_blueprint(users)
