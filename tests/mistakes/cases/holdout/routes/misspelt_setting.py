"""An option of `DaebusHttp` whose name is misspelt."""

from daebus import Daebus, DaebusHttp

app = Daebus("users")
# wrong
# ! mypy call-arg: Unexpected keyword argument "prot" for "DaebusHttp"
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "prot"
# ! start-up unknown-option: DaebusHttp(...): it has no option 'prot', nor has Litestar; did you mean 'port'?
# ! zuban call-arg
app.attach(DaebusHttp(prot=8080))
# right
app.attach(DaebusHttp(port=8080))
# both


@app.route("/ping")
async def ping() -> str:
    return "pong"
