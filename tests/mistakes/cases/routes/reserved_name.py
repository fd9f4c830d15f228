"""A query parameter with a name to which Litestar gives a meaning of its own."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.route("/search")
# ! mypy daebus-signature: search(query: str): Litestar gives "query" a meaning of its own, which cannot be of type str -> rename it, as query_: Annotated[..., QueryParameter(name="query")]
# ! registration reserved-name: search(query: str): Litestar gives 'query' a meaning of its own, all query parameters, which is never of type str; write query: dict[str, str], or rename it, as query_: Annotated[str, QueryParameter(name='query')]
async def search(query: str) -> User:
    return User(query)


# right
@users.route("/search")
async def search(text: str) -> User:
    return User(text)


# both
app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
