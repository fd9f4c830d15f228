"""The class of a component, instead of an instance."""

from daebus import Daebus, DaebusHttp

app = Daebus("users")
# wrong
# ! mypy arg-type: Argument 1 to "attach" of "Daebus" has incompatible type "type[DaebusHttp]"; expected "DaebusHttp | DaebusWebSocket | Component"
# ! pyright reportArgumentType: Argument of type "type[DaebusHttp]" cannot be assigned to parameter "component" of type "DaebusHttp | DaebusWebSocket | Component" in function "attach"
# ! registration wrong-component: attach(DaebusHttp): it is a class; attach an instance: DaebusHttp(...)
app.attach(DaebusHttp)
# right
app.attach(DaebusHttp())


# both
@app.action("ping")
async def ping() -> None: ...
