"""A service that is attacked at each of its doors, and whose answers are large where one asks for it."""

from __future__ import annotations

import msgspec

from daebus import Daebus, DaebusHttp, DaebusWebSocket, Settings


class Note(msgspec.Struct):
    text: str


app = Daebus("modest", service="modest", settings=Settings(lease=6, stop_timeout=5))
app.attach(DaebusHttp())
app.attach(DaebusWebSocket())


@app.route("/ping")
async def ping() -> str:
    return "pong"


@app.route("/large")
async def large() -> str:
    return "x" * 10_000_000


@app.route("/notes", methods=["POST"])
async def post_note(data: Note) -> int:
    return len(data.text)


@app.socket("echo")
async def echo(data: str) -> str:
    return data


@app.action("double")
async def double(number: int) -> int:
    return 2 * number
