"""A port that is not a number."""

from daebus import Daebus, DaebusHttp

app = Daebus("users")
# wrong
# ! mypy arg-type: Argument "port" to "DaebusHttp" has incompatible type "str"; expected "int"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "Literal['8080']" cannot be assigned to parameter "port" of type "int" in function "__init__"
# ! registration configuration: DaebusHttp(port='8080'): a port is a number from 1 to 65535, or 0 for a free one.
# ! ty invalid-argument-type
# ! zuban arg-type
app.attach(DaebusHttp(port="8080"))
# right
app.attach(DaebusHttp(port=8080))


# both
@app.action("ping")
async def ping() -> None: ...
