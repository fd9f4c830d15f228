"""A setting of the app that does not exist."""

from daebus import Daebus, Settings

# wrong
# ! mypy call-arg: Unexpected keyword argument "max_worker" for "Settings"; did you mean "max_workers"?
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "max_worker"
# ! registration unknown-option: Settings(...): it has no option 'max_worker'; did you mean 'max_workers'?
# ! ty unknown-argument
# ! zuban call-arg
app = Daebus("users", settings=Settings(max_worker=8))
# right
app = Daebus("users", settings=Settings(max_workers=8))


# both
@app.action("ping")
async def ping() -> None: ...
