"""The web peers: how each is started, for the groups that ask them over HTTP and over WebSockets."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bench import Bench
from .cases import BEFORE
from .processes import free_port, process, wait_for_port

__all__ = ["WEB_PEERS", "WebServer", "serve_web"]

_Command = Callable[[Path, int], Sequence[str | Path]]


def _script(name: str) -> _Command:
    return lambda python, port: (python, name, str(port))


def _granian(module: str, loop: str) -> _Command:
    # As many connections as daebus lets in: Granian's default would stop at 1,024.
    options = f"--interface asgi --workers 1 --loop {loop} --log-level error --backpressure 100000 --host 127.0.0.1"
    return lambda python, port: (python.with_name("granian"), *options.split(), "--port", str(port), f"{module}:app")


def _uvicorn(module: str) -> _Command:
    options = "--loop uvloop --http httptools --no-access-log --log-level warning --host 127.0.0.1"
    return lambda python, port: (python.with_name("uvicorn"), *options.split(), "--port", str(port), f"{module}:app")


@dataclass(frozen=True, slots=True)
class WebPeer:
    """A web peer.

    Attributes:
        environment: Where it is installed.
        command: How it is started, in the folder of the peer scripts.
        get: The path of its GET.
    """

    environment: str
    command: _Command
    get: str = "/users/u1"


WEB_PEERS = {
    "daebus": WebPeer("daebus", _script("web_daebus.py")),
    "daebus, uvloop": WebPeer("daebus-uvloop", _script("web_daebus.py")),
    "Litestar by hand": WebPeer("daebus", _granian("web_litestar", "asyncio")),
    "Litestar by hand, encoding by hand": WebPeer("daebus", _granian("web_litestar", "asyncio"), "/encoded/u1"),
    "Litestar by hand, uvloop": WebPeer("web", _granian("web_litestar", "uvloop")),
    "bare ASGI": WebPeer("daebus", _granian("web_asgi", "asyncio")),
    "bare ASGI, uvloop": WebPeer("web", _granian("web_asgi", "uvloop")),
    "picows": WebPeer("picows", _script("web_picows.py")),
    "FastAPI, uvicorn": WebPeer("web", _uvicorn("web_fastapi")),
    "Starlette, uvicorn": WebPeer("web", _uvicorn("web_starlette")),
}
"""All servers are of one process. The event loop is asyncio's own, where the name does not say uvloop or uvicorn."""


@dataclass(frozen=True, slots=True)
class WebServer:
    """A web peer that runs: its port, its process, the path of its GET."""

    port: int
    process: subprocess.Popen[str]
    get: str

    def url(self, path: str) -> str:
        """Where a path of it is."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def serve_web(bench: Bench, name: str) -> Generator[WebServer]:
    """Run a web peer, or daebus as it was before. Raises `PeerError` where it does not start."""
    bench, port = bench.of(name), free_port()
    peer = WEB_PEERS[name.replace(BEFORE, "daebus")]
    command, log = peer.command(bench.python(peer.environment), port), bench.log(f"web-{name.replace(' ', '-')}")
    with process(command, log=log, env=bench.env, cwd=bench.peers) as running:
        wait_for_port(port, running, log)
        yield WebServer(port, running, peer.get)
