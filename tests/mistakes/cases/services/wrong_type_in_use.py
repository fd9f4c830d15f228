"""A service of another type than the provider in `use(...)` gives."""

from accounts import Container, Database
from daebus import Blueprint, Daebus, use

users = Blueprint("users", services=Container)


# wrong
@users.action("url")
# ! mypy assignment: Incompatible default for parameter "db" (default has type "UserRepo", parameter has type "Database")
# ! pyrefly bad-function-definition
# ! pyright reportArgumentType: Expression of type "UserRepo" cannot be assigned to parameter of type "Database"
# ! registration wrong-type: url(db: Database): the provider 'repo' of Container gives UserRepo; annotate it as UserRepo, or name it 'db', which gives Database
# ! ty invalid-parameter-default
# ! zuban arg-type
async def url(*, db: Database = use(Container.repo)) -> str:
    return db.url


# right
@users.action("url")
async def url(*, db: Database = use(Container.db)) -> str:
    return db.url


# both
app = Daebus("users", container=Container())
app.register_blueprint(users)
