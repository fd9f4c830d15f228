"""WebSockets: an echo, and a broadcast to a thousand clients."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager

from .bench import Bench
from .cases import Case, Goal, PeerError, Sample
from .load_websocket import Crowd, room_for
from .processes import cpu_of
from .web import WebServer, serve_web

__all__ = ["WEBSOCKET_PEERS", "websocket_cases"]

WEBSOCKET_PEERS = ("daebus", "Litestar by hand", "bare ASGI", "Starlette, uvicorn")

_ECHOERS = 64
_LISTENERS = 1_000
_SMALL, _LARGE = "hello", "x" * 10_000

_Work = Callable[[Crowd, float], float]


@contextmanager
def websocket_cases(bench: Bench) -> Generator[list[Case]]:
    """Start all servers, and give the cases."""
    room_for(_LISTENERS * len(WEBSOCKET_PEERS))
    with ExitStack() as stack:
        servers: dict[str, WebServer] = {}
        missing: dict[str, str] = {}
        for name in WEBSOCKET_PEERS:
            try:
                servers[name] = stack.enter_context(serve_web(bench, name))
            except PeerError as error:
                missing[name] = str(error)

        def case(name: str, unit: str, size: int, work: _Work, goal: Goal | None = None) -> Case:
            measures = {peer: _Measure(stack, server, size, work) for peer, server in servers.items()}
            goals = {} if goal is None else {"Litestar by hand": goal}
            return Case(name, unit, measures, goals=goals, missing=missing, charted=goal is not None)

        cases = [case("WebSocket echo, 64 clients", "messages/s", _ECHOERS, _echo(_SMALL), Goal(at_least=0.95))]
        if not bench.quick:
            cases.append(case("WebSocket echo of 10 kB, 64 clients", "messages/s", _ECHOERS, _echo(_LARGE)))
        # Last, as its clients stay.
        cases.append(case("WebSocket broadcast to 1,000 clients", "deliveries/s", _LISTENERS, _broadcast))
        yield cases


def _echo(text: str) -> _Work:
    return lambda crowd, seconds: crowd.echo(seconds, text)


def _broadcast(crowd: Crowd, seconds: float) -> float:
    return crowd.broadcast(seconds, _SMALL)


class _Measure:
    """Measures with one crowd, which connects at the first time; few clients leave in between, a thousand stay."""

    def __init__(self, stack: ExitStack, server: WebServer, size: int, work: _Work) -> None:
        self._stack = stack
        self._server = server
        self._size = size
        self._work = work
        self._crowd: Crowd | None = None

    def __call__(self, seconds: float) -> Sample:
        if self._size == _ECHOERS:
            with closing(Crowd(self._server.port, self._size)) as crowd:
                return self._measure(crowd, seconds)
        if self._crowd is None:
            self._crowd = self._stack.enter_context(closing(Crowd(self._server.port, self._size)))
        return self._measure(self._crowd, seconds)

    def _measure(self, crowd: Crowd, seconds: float) -> Sample:
        self._work(crowd, min(0.1, seconds / 2))
        before = cpu_of(self._server.process.pid)
        rate = self._work(crowd, seconds)
        return Sample(rate, cpu=(cpu_of(self._server.process.pid) - before) / (rate * seconds) * 1e6)
