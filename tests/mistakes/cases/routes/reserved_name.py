"""A query parameter whose name has a special meaning in Litestar."""

from accounts import User
from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
@users.route("/search")
# ! mypy daebus-signature: search(query: str): "query" has a special meaning in Litestar, which cannot be of type str -> write query: dict[str, str], or rename it, for example query_: Annotated[str, QueryParameter(name="query")]
# ! registration reserved-name: search(query: str): 'query' has a special meaning in Litestar, all query parameters, which is never of type str; write query: dict[str, str], or rename it, for example query_: Annotated[str, QueryParameter(name='query')]
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
