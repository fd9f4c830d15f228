"""A `def` handler, which runs in a thread, that asks for the bus of the event loop."""

from fastapi import FastAPI

from accounts import Repo

app = FastAPI()


# wrong
@app.get("/count")
def count(repo: Repo) -> str:
    return str(repo.find("u1"))


# right
@app.get("/count")
def count(repo: Repo) -> str:
    return str(repo.read("u1"))


# both
SEND = "GET /count"
