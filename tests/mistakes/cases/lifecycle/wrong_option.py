"""An option of the app that does not exist."""

from daebus import Daebus

# wrong
# ! mypy call-arg: Unexpected keyword argument "max_worker" for "Daebus"; did you mean "max_workers"?
# ! pyright reportCallIssue: No parameter named "max_worker"
# ! registration TypeError: Daebus.__init__() got an unexpected keyword argument 'max_worker'
app = Daebus("users", max_worker=8)
# right
app = Daebus("users", max_workers=8)


# both
@app.action("ping")
async def ping() -> None: ...
