"""A route for an action that streams its replies."""

from collections.abc import AsyncIterator

from daebus import Blueprint, Daebus, DaebusHttp

numbers = Blueprint("numbers")


# wrong
# ! mypy daebus-signature: count: the action streams its replies, so it has no door http= -> write sse="GET
# ! registration unexpected-stream: route GET && the action streams its replies, and this door has one answer for each request; open it as server-sent events: sse="GET
@numbers.action("count", http="GET /count")
# right
@numbers.action("count", sse="GET /count")
# both
async def count() -> AsyncIterator[int]:
    yield 1


app = Daebus("numbers")
app.attach(DaebusHttp())
app.register_blueprint(numbers)
