"""A guard that takes the payload of another handler."""

from accounts import Container, Created, GetUser, User, UserRepo
from daebus import Blueprint, Credentials, Daebus, Identity


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token)


class Own(Container):
    user = Identity(find_user)


# wrong
def is_own(user: User, query: Created) -> bool:
    return user.id == query.id


# right
def is_own(user: User, query: GetUser) -> bool:
    return user.id == query.id


# both


users = Blueprint("users", services=Own)


# ! mypy daebus-signature: get_user: the guard is_own takes "query" as Created, and it is GetUser -> annotate it as GetUser
# ! registration wrong-guard: action get_user: requires=is_own: it takes 'query' as Created, and get_user has GetUser; annotate it as GetUser
@users.action("get_user", requires=is_own)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    return await repo.find(query.id)


print(Created)
app = Daebus("users", container=Own())
app.register_blueprint(users)
