"""A port that is no number."""

from daebus import Daebus, DaebusHttp

app = Daebus("users")
# wrong
# ! mypy arg-type: Argument "port" to "DaebusHttp" has incompatible type "str"; expected "int"
# ! pyright reportArgumentType: Argument of type "Literal['8080']" cannot be assigned to parameter "port" of type "int" in function "__init__"
# ! registration TypeError: '<=' not supported between instances of 'int' and 'str'
app.attach(DaebusHttp(port="8080"))
# right
app.attach(DaebusHttp(port=8080))
