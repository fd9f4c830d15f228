"""`use(...)` of a provider that is called, so that it gets an object."""

from accounts import Container, Database, GetUser, User
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("get_user")
# ! mypy arg-type: Argument 1 to "use" has incompatible type "Database"; expected "Provider[Never]"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Database" cannot be assigned to parameter "provider" of type "Provider[T@use]" in function "use"
# ! registration not-a-provider: get_user(db: Database): use(...) names <accounts.Database object && >, which is not a provider; name one of the container's providers: use(Container.name)
# ! ty invalid-argument-type
# ! zuban arg-type
async def get_user(query: GetUser, *, db: Database = use(Container.db())) -> User:
    return User(query.id + db.url)


# right
@users.action("get_user")
async def get_user(query: GetUser, *, db: Database = use(Container.db)) -> User:
    return User(query.id + db.url)


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
