"""``python -m tests.hostile.documented [APP]``: schemathesis on the OpenAPI that a real process publishes.

APP is ``victim``, ``users`` or ``chat``; the examples are tested as somebody who has logged in.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx

from daebus.embedded.engine import join_embedded

from .target import Target, victim

__all__ = ["APPS", "main"]

_EXAMPLES = Path(__file__).parents[2] / "examples"


class _App(NamedTuple):
    """An app that is tested.

    Attributes:
        target: As for ``daebus run``.
        folder: Where it is run.
        service: The name of the service.
        requests: What is sent to have an account and log in: paths and bodies.
    """

    target: str
    folder: Path
    service: str
    requests: Sequence[tuple[str, Mapping[str, str]]] = ()


_ADA = {"email": "ada@example.com", "password": "secret word"}

APPS = {
    "victim": _App("tests/hostile/victim.py:app", _EXAMPLES.parent, "victim"),
    "users": _App("app.py:app", _EXAMPLES / "users", "user_service", [("/api/users", _ADA), ("/api/auth/login", _ADA)]),
    "chat": _App(
        "chat.app:app", _EXAMPLES / "chat", "chat", [("/api/login", {"name": "Ada L", "password": "secret word"})]
    ),
}
"""The apps by name."""


async def _headers(target: Target, app: _App) -> list[str]:
    """The arguments for schemathesis with the headers of somebody who has logged in."""
    answer: httpx.Response | None = None
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{target.port}") as client:
        for path, body in app.requests:
            answer = (await client.post(path, json=dict(body))).raise_for_status()
    if answer is None:
        return []
    cookie = answer.headers.get("set-cookie", "").partition(";")[0]
    return ["--header", f"Cookie: {cookie}" if cookie else f"Authorization: Bearer {answer.json()['access_token']}"]


async def _test(app: _App, arguments: list[str]) -> int:
    engine = join_embedded(private=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            log, document = Path(folder) / "log", Path(folder) / "openapi.json"
            run = (app.target, "--service", app.service)
            async with victim(engine.url, log, run, app.folder, {"CHAT_FILES": folder}) as target:
                described = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "daebus", "export", "openapi", *run, "-o", document), cwd=app.folder
                )
                if await described.wait():
                    return 1
                url, headers = f"http://127.0.0.1:{target.port}", await _headers(target, app)
                command = Path(sys.executable).with_name("schemathesis")
                options = ("--url", url, *headers, *arguments)
                process = await asyncio.create_subprocess_exec(command, "run", document, *options, cwd=folder)
                return await process.wait()
    finally:
        engine.close()


def main() -> None:
    """Run it; the arguments after the name of the app are schemathesis's."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.documented", description=__doc__)
    parser.add_argument("app", nargs="?", choices=APPS, default="victim")
    options, arguments = parser.parse_known_args()
    sys.exit(asyncio.run(_test(APPS[options.app], arguments)))


if __name__ == "__main__":
    main()
