"""The class of a component, instead of an instance."""

from daebus import Daebus, DaebusHttp

app = Daebus("users")
# wrong
# ! mypy arg-type: Argument 1 to "attach" of "Daebus" has incompatible type "type[DaebusHttp]"; expected "DaebusHttp | DaebusWebSocket | Component"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "type[DaebusHttp]" cannot be assigned to parameter "component" of type "DaebusHttp | DaebusWebSocket | Component" in function "attach"
# ! registration wrong-component: attach(DaebusHttp): it is a class; attach an instance: DaebusHttp(...)
# ! ty invalid-argument-type
# ! zuban arg-type
app.attach(DaebusHttp)
# right
app.attach(DaebusHttp())


# both
@app.action("ping")
async def ping() -> None: ...
