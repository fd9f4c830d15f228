"""HTTP: GET with a path parameter, POST with a body, two services in each handler."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .load_http import load_http
from .processes import cpu_of
from .web import WebServer, serve_web

__all__ = ["http_cases"]

_SMALL = b'{"email":"ada@example.com","name":"Ada"}'
_LARGE = b'{"email":"ada@example.com","name":"Ada","about":"%s"}' % (b"x" * 10_000)

_WARM_UP = 0.1

_POSTERS = ("daebus", "Litestar by hand", "Litestar by hand, uvloop", "bare ASGI", "FastAPI, uvicorn")
_GETTERS = (*_POSTERS[:2], "Litestar by hand, encoding by hand", *_POSTERS[2:])
_GOALS = {"Litestar by hand": Goal(at_least=0.97), "FastAPI, uvicorn": Goal(at_least=5)}


@contextmanager
def http_cases(bench: Bench) -> Generator[list[Case]]:
    """Start all servers, and give the cases."""
    with ExitStack() as stack:
        servers: dict[str, WebServer] = {}
        missing: dict[str, str] = {}
        for name in _GETTERS:
            try:
                servers[name] = stack.enter_context(serve_web(bench, name))
            except PeerError as error:
                missing[name] = str(error)
        yield _cases(servers, missing, quick=bench.quick)


def _cases(servers: Mapping[str, WebServer], missing: Mapping[str, str], *, quick: bool) -> list[Case]:
    def case(name: str, peers: Sequence[str], connections: int, body: bytes | None, *, charted: bool = False) -> Case:
        measures = {peer: _measure(servers[peer], connections, body) for peer in peers if peer in servers}
        gone = {peer: why for peer, why in missing.items() if peer in peers}
        alone = connections == 1
        return Case(
            name,
            "µs (p50)" if alone else "requests/s",
            measures,
            lower_is_better=alone,
            goals={} if alone else _GOALS,
            missing=gone,
            charted=charted,
        )

    cases = [
        case("HTTP GET, 64 connections", _GETTERS, 64, None, charted=True),
        case("HTTP POST, 64 connections", _POSTERS, 64, _SMALL),
    ]
    if not quick:
        cases += [
            case("HTTP GET, one at a time", _GETTERS, 1, None),
            case("HTTP GET, 256 connections", _GETTERS, 256, None),
            case("HTTP POST of 10 kB, 64 connections", _POSTERS, 64, _LARGE),
        ]
    return cases


def _measure(server: WebServer, connections: int, body: bytes | None) -> Measure:
    url = server.url(server.get if body is None else "/users")

    def measure(seconds: float) -> Sample:
        load_http(url, connections=connections, seconds=_WARM_UP, body=body)
        before = cpu_of(server.process.pid)
        load = load_http(url, connections=connections, seconds=seconds, body=body)
        cpu = (cpu_of(server.process.pid) - before) / load.requests * 1e6
        return Sample(load.p50 if connections == 1 else load.rate, load.failed, cpu)

    return measure
