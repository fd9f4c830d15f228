"""The load for HTTP: wrk, or a client of our own on bare sockets; the same one for all peers."""

from __future__ import annotations

import math
import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from .cases import PeerError

__all__ = ["Load", "load_http", "load_tool"]

_PATIENCE = 10.0
_CHUNK = 1 << 14
_POST = 'wrk.method, wrk.headers["Content-Type"], wrk.body = "POST", "application/json", [[%s]]\n'
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True, slots=True)
class Load:
    """What a load brought: requests, requests a second, the median latency in microseconds, how many failed."""

    requests: int
    rate: float
    p50: float
    failed: int


def load_tool(seconds: float) -> str:
    """Which load generator is used: wrk does not measure for less than a second."""
    return "wrk" if seconds >= 1 and shutil.which("wrk") else "a client of our own"


def load_http(url: str, *, connections: int, seconds: float, body: bytes | None = None) -> Load:
    """Send requests over some connections, one at a time on each: GET, or POST with a JSON body."""
    if load_tool(seconds) == "wrk":
        return _wrk(url, connections, math.ceil(seconds), body)
    try:
        return _by_ourselves(url, connections, seconds, body)
    except OSError as error:
        raise PeerError(f"broke off: {error!r}") from error


def _wrk(url: str, connections: int, seconds: int, body: bytes | None) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if body is not None:
            script.write(_POST % body.decode())
            script.flush()
            command += ["-s", script.name]
        told = subprocess.run([*command, url], check=False, capture_output=True, text=True)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told.stdout)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", told.stdout)
    requests = re.search(r"(\d+) requests in", told.stdout)
    if rate is None or p50 is None or requests is None:
        raise PeerError(f"wrk failed: {told.stderr.strip() or told.stdout.strip()}")
    failed = sum(
        int(number)
        for number in re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write|timeout) (\d+)", told.stdout)
    )
    return Load(int(requests[1]), float(rate[1]), float(p50[1]) * _UNITS[p50[2]], failed)


class _Connection:
    """One connection: a request, its response, the next one."""

    __slots__ = ("_got", "_request", "_sent", "failed", "socket", "took")

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._request = request
        self._got = b""
        self.took: list[float] = []
        self.failed = 0
        self.socket = socket.create_connection((host, port), _PATIENCE)
        self.socket.settimeout(None)
        self.send()

    def send(self) -> None:
        self._sent = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Read what is there. Returns whether a response is complete."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise PeerError("closed a connection")
        self._got += data
        head, separator, body = self._got.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if not separator or length is None or len(body) < int(length[1]):
            return False
        self.took.append(time.perf_counter() - self._sent)
        self.failed += not self._got.startswith(b"HTTP/1.1 2")
        self._got = b""
        return True


def _by_ourselves(url: str, connections: int, seconds: float, body: bytes | None) -> Load:
    parts = urlsplit(url)
    head = f"{'GET' if body is None else 'POST'} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    request = head.encode() + b"\r\n" + (body or b"")
    clients: list[_Connection] = []
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for _ in range(connections):
            client = _Connection(parts.hostname or "", parts.port or 80, request)
            selector.register(client.socket, selectors.EVENT_READ, client)
            clients.append(client)
        # On a busy machine the first answer may take longer than all that was to be measured.
        while (now := time.perf_counter()) < started + seconds or (
            now < started + _PATIENCE and not any(client.took for client in clients)
        ):
            for key, _ in selector.select(0.05):
                if key.data.receive():
                    key.data.send()
        elapsed = time.perf_counter() - started
    for client in clients:
        client.socket.close()
    took = [each for client in clients for each in client.took]
    if not took:
        raise PeerError("no request was answered")
    return Load(len(took), len(took) / elapsed, median(took) * 1e6, sum(client.failed for client in clients))
