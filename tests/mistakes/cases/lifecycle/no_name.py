"""A service without a name."""

from daebus import Daebus

# wrong
app = Daebus("__main__")
# right
app = Daebus("__main__", service="users")


# both
@app.action("ping")
async def ping() -> None: ...


# ! start-up configuration: The service has no name: call app.run(service="..."), use daebus run --service, or write Daebus(..., service="...").
