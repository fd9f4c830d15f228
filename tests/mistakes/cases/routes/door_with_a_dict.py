"""A GET for an action whose payload has any keys."""

from daebus import Blueprint, Daebus, DaebusHttp

users = Blueprint("users")


# wrong
# ! mypy daebus-path: count: a GET request has no body, and "words", a dict[str, int], cannot be read from a query string -> use a method with a body: "POST
# ! registration not-in-query: route GET && a GET request has no body, and 'words', a dict[str, int], cannot be read from a query string; use a method with a body: "POST
@users.action("count", http="GET /counts")
# right
@users.action("count", http="POST /counts")
# both
async def count(words: dict[str, int]) -> int:
    return sum(words.values())


app = Daebus("users")
app.attach(DaebusHttp())
app.register_blueprint(users)
