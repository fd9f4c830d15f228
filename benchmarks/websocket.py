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
# By hand, a room is a loop over its clients; picows is a server in Cython, and nothing else.
_ROOM_PEERS = ("daebus", "Litestar by hand", "bare ASGI", "picows")
_ROOM_GOALS = {"Litestar by hand": Goal(at_least=2)}
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
    """Start the servers of the broadcasts, and give the cases."""
    with ExitStack() as stack:
        cases = [_echoes(bench, loop, "WebSocket echo, 64 clients", _SMALL, _GOALS) for loop in _ECHO_PEERS]
        if not bench.quick:
            cases += [_echoes(bench, loop, "WebSocket echo of 10 kB, 64 clients", _LARGE) for loop in _ECHO_PEERS]
        # Last, as its clients stay.
        cases.append(_broadcasts(bench, stack, "WebSocket broadcast to 1,000 clients", WEBSOCKET_PEERS))
        name = "WebSocket message to a room of 1,000 clients"
        cases.append(_broadcasts(bench, stack, name, _ROOM_PEERS, _ROOM_GOALS))
        yield cases


def _broadcasts(
    bench: Bench, stack: ExitStack, name: str, peers: Sequence[str], goals: Mapping[str, Goal] | None = None
) -> Case:
    """Each case has servers of its own, as its clients stay."""
    measures: dict[str, Measure] = {}
    missing: dict[str, str] = {}
    peers = bench.taking_part(peers)
    room_for(2 * _LISTENERS * len(peers))
    for peer in peers:
        try:
            server = stack.enter_context(serve_web(bench, peer))
        except PeerError as error:
            missing[peer] = str(error)
        else:
            measures[peer] = _Broadcast(stack, server, in_room=goals is not None and peer.startswith("daebus"))
    return Case(name, "deliveries/s", measures, goals=goals or {}, missing=missing)


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

    def __init__(self, stack: ExitStack, server: WebServer, *, in_room: bool) -> None:
        self._stack = stack
        self._server = server
        self._in_room = in_room
        self._crowd: Crowd | None = None

    def __call__(self, seconds: float) -> Sample:
        if self._crowd is None:
            self._crowd = self._stack.enter_context(closing(Crowd(self._server.port, _LISTENERS)))
            if self._in_room:
                self._crowd.join()
        kind = "tell" if self._in_room else "broadcast"
        return _measure(self._server, partial(self._crowd.broadcast, text=_SMALL, kind=kind), seconds)


def _measure(server: WebServer, work: Callable[[float], float], seconds: float) -> Sample:
    work(min(0.1, seconds / 2))
    before = cpu_of(server.process.pid)
    if not (rate := work(seconds)):
        raise PeerError("no message was answered")
    return Sample(rate, cpu=(cpu_of(server.process.pid) - before) / (rate * seconds) * 1e6)
