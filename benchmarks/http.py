"""HTTP: GET with a path parameter, POST with a body, two services in each handler."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain

from .bench import Bench
from .cases import Case, Goal, Measure, PeerError, Sample
from .load_http import load_http
from .processes import cpu_of
from .web import WebServer, serve_web

__all__ = ["http_cases"]

_SMALL = b'{"email":"ada@example.com","name":"Ada"}'
_LARGE = b'{"email":"ada@example.com","name":"Ada","about":"%s"}' % (b"x" * 10_000)

_WARM_UP = 0.1

_BY_LOOP: Mapping[str, Sequence[str]] = {
    "": ("daebus", "Litestar by hand", "Litestar by hand, encoding by hand", "bare ASGI"),
    ", uvloop": ("daebus, uvloop", "Litestar by hand, uvloop", "bare ASGI, uvloop", "FastAPI, uvicorn"),
}
_ONLY_GETS = "Litestar by hand, encoding by hand"
_GOALS = {
    "Litestar by hand": Goal(at_least=0.97),
    "Litestar by hand, uvloop": Goal(at_least=0.97),
    "FastAPI, uvicorn": Goal(at_least=5),
}

_Serve = Callable[[], AbstractContextManager[WebServer]]


@contextmanager
def http_cases(bench: Bench) -> Generator[list[Case]]:
    """Start all servers, and give the cases.

    The threads of a server fall into one rhythm or another, which lasts as long as the process: two processes of one
    program differ by a third and more. So where daebus is compared with itself, each sample is of a new process.
    """
    with ExitStack() as stack:
        servers: dict[str, _Serve] = {}
        missing: dict[str, str] = {}
        by_loop = {loop: bench.taking_part(peers) for loop, peers in _BY_LOOP.items()}
        for name in chain(*by_loop.values()):
            if bench.before is not None:
                servers[name] = partial(serve_web, bench, name)
                continue
            try:
                server = stack.enter_context(serve_web(bench, name))
            except PeerError as error:
                missing[name] = str(error)
            else:
                servers[name] = _running(server)
        yield _cases(by_loop, servers, missing, quick=bench.quick)


def _running(server: WebServer) -> _Serve:
    return lambda: nullcontext(server)


def _cases(
    by_loop: Mapping[str, Sequence[str]], servers: Mapping[str, _Serve], missing: Mapping[str, str], *, quick: bool
) -> list[Case]:
    def case(
        name: str, loop: str, connections: int, body: bytes | None, *, charted: bool = False, door: bool = False
    ) -> Case:
        peers = [peer for peer in by_loop[loop] if body is None or peer != _ONLY_GETS]
        alone = connections == 1
        return Case(
            name + loop,
            "µs (p50)" if alone else "requests/s",
            {
                peer: _measure(servers[peer], connections, body, door=door and peer == peers[0])
                for peer in peers
                if peer in servers
            },
            subject=peers[0],
            lower_is_better=alone,
            goals={} if alone or door else _GOALS,
            missing={peer: why for peer, why in missing.items() if peer in peers},
            charted=charted,
        )

    cases: list[Case] = []
    for loop in by_loop:
        cases += [
            case("HTTP GET, 64 connections", loop, 64, None, charted=True),
            case("HTTP POST, 64 connections", loop, 64, _SMALL),
            case("HTTP GET at the door of an action, 64 connections", loop, 64, None, door=True),
        ]
        if not quick:
            cases += [
                case("HTTP GET, one at a time", loop, 1, None),
                case("HTTP GET, 256 connections", loop, 256, None),
                case("HTTP POST of 10 kB, 64 connections", loop, 64, _LARGE),
            ]
    return cases


def _measure(serve: _Serve, connections: int, body: bytes | None, *, door: bool) -> Measure:
    def measure(seconds: float) -> Sample:
        with serve() as server:
            url = server.url("/users" if body is not None else f"/door{server.get}" if door else server.get)
            load_http(url, connections=connections, seconds=_WARM_UP, body=body)
            before = cpu_of(server.process.pid)
            load = load_http(url, connections=connections, seconds=seconds, body=body)
            cpu = (cpu_of(server.process.pid) - before) / load.requests * 1e6
        return Sample(load.p50 if connections == 1 else load.rate, load.failed, cpu)

    return measure
