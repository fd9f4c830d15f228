"""WebSockets: an echo, and a broadcast to a thousand clients."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from statistics import fmean

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .load_websocket import Crowd, room_for
from .processes import cpu_of
from .web import WebServer, serve_web

__all__ = ["WEBSOCKET_PEERS", "websocket_cases"]

WEBSOCKET_PEERS = ("daebus", "Litestar by hand", "bare ASGI", "Starlette, uvicorn")
_ECHO_PEERS: Mapping[str, Sequence[str]] = {
    "": ("daebus", "Litestar by hand", "bare ASGI"),
    ", uvloop": ("daebus, uvloop", "Litestar by hand, uvloop", "bare ASGI, uvloop", "Starlette, uvicorn"),
}

_GOALS = {"Litestar by hand": Goal(at_least=0.95), "Litestar by hand, uvloop": Goal(at_least=0.95)}
_ECHOERS = 64
_LISTENERS = 1_000
_SMALL, _LARGE = "hello", "x" * 10_000

# The threads of a server and the load fall into one rhythm or another, which lasts as long as the process, or as the
# connections, and is worth a third of the rate. So each sample of an echo is of new processes and of several crowds.
_SERVERS, _CROWDS = 3, 2


@contextmanager
def websocket_cases(bench: Bench) -> Generator[list[Case]]:
    """Start the servers of the broadcast, and give the cases."""
    listened = bench.taking_part(WEBSOCKET_PEERS)
    room_for(_LISTENERS * len(listened))
    with ExitStack() as stack:
        servers: dict[str, WebServer] = {}
        missing: dict[str, str] = {}
        for name in listened:
            try:
                servers[name] = stack.enter_context(serve_web(bench, name))
            except PeerError as error:
                missing[name] = str(error)

        cases = [_echoes(bench, loop, "WebSocket echo, 64 clients", _SMALL, _GOALS) for loop in _ECHO_PEERS]
        if not bench.quick:
            cases += [_echoes(bench, loop, "WebSocket echo of 10 kB, 64 clients", _LARGE) for loop in _ECHO_PEERS]
        # Last, as its clients stay.
        broadcasts: dict[str, Measure] = {peer: _Broadcast(stack, server) for peer, server in servers.items()}
        name = "WebSocket broadcast to 1,000 clients"
        yield [*cases, Case(name, "deliveries/s", broadcasts, missing=missing)]


def _echoes(bench: Bench, loop: str, name: str, text: str, goals: Mapping[str, Goal] | None = None) -> Case:
    peers: dict[str, Measure] = {
        peer: partial(_echo, bench, peer, text) for peer in bench.taking_part(_ECHO_PEERS[loop])
    }
    charted = goals is not None
    return Case(name + loop, "messages/s", peers, next(iter(peers)), goals=goals or {}, charted=charted)


def _echo(bench: Bench, peer: str, text: str, seconds: float) -> Sample:
    measured: list[Sample] = []
    servers = 1 if bench.quick else _SERVERS
    for _ in range(servers):
        with serve_web(bench, peer) as server:
            for _ in range(_CROWDS):
                with closing(Crowd(server.port, _ECHOERS)) as crowd:
                    measured.append(_measure(server, partial(crowd.echo, text=text), seconds / servers / _CROWDS))
    return Sample(fmean(sample.value for sample in measured), cpu=fmean(sample.cpu or 0.0 for sample in measured))


class _Broadcast:
    """Measures with one crowd, which connects at the first time and stays."""

    def __init__(self, stack: ExitStack, server: WebServer) -> None:
        self._stack = stack
        self._server = server
        self._crowd: Crowd | None = None

    def __call__(self, seconds: float) -> Sample:
        if self._crowd is None:
            self._crowd = self._stack.enter_context(closing(Crowd(self._server.port, _LISTENERS)))
        return _measure(self._server, partial(self._crowd.broadcast, text=_SMALL), seconds)


def _measure(server: WebServer, work: Callable[[float], float], seconds: float) -> Sample:
    work(min(0.1, seconds / 2))
    before = cpu_of(server.process.pid)
    if not (rate := work(seconds)):
        raise PeerError("no message was answered")
    return Sample(rate, cpu=(cpu_of(server.process.pid) - before) / (rate * seconds) * 1e6)
