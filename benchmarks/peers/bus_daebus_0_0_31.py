"""daebus 0.0.31, the one on PyPI: 64 threads on each side, as its caller waits in a thread and polls."""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from driving import drive, main

from daebus import Daebus, DaebusCaller, request, response

logging.disable(logging.INFO)

QUERY, TEXT = {"id": "u1"}, {"text": "x" * 10_000}


def serve(port: int) -> None:
    app = Daebus(__name__, max_workers=64)

    @app.action("get_user")
    def get_user():
        response.success({"id": request.payload["id"], "email": "ada@example.com", "name": "Ada"})

    @app.action("echo")
    def echo():
        response.success(request.payload)

    app.run(service="old", redis_port=port)


async def drive_it(url: str) -> None:
    caller = DaebusCaller("old", redis_port=urlsplit(url).port)
    pool = ThreadPoolExecutor(64)
    loop = asyncio.get_running_loop()
    await drive(
        {
            "call": lambda: loop.run_in_executor(pool, caller.send_request, "get_user", QUERY, 1.0),
            "call_10k": lambda: loop.run_in_executor(pool, caller.send_request, "echo", TEXT),
        }
    )


if sys.argv[1] == "serve":
    serve(urlsplit(sys.argv[2]).port)
else:
    main(drive_it, drive_it)
