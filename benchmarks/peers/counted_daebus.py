"""daebus, as a counter of instructions runs it: ``python counted_daebus.py PLACE IDLE ROW=OPERATIONS…``.

A service and its clients are in this one process, so that one count contains both. PLACE is ``bus``, with the server of
``DAEBUS_REDIS_URL``, or ``web``. A ROW of the bus is an operation and how many are in flight, as in ``call:64``. Each
row is run three times: to be warm, with its OPERATIONS, and with three times as many. At the end the process is idle
for IDLE seconds. After each run, and before and after the idle time, `mark` is called; the seconds before each mark are
written to the file of ``BENCH_TIMES``.
"""

import asyncio
import functools
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import driving
import shapes

import daebus
from daebus import Bus, Daebus

_CROWD = 16
_TEXT, _PING, _PONG = 1, 9, 10
_WARM_UP = 3
_TIMES = (1, 3)  # the operations of a row
_SETTLING = 1.0
_TURN = 0.02
_LEASE = _TIMEOUT = 600.0
_ITEMS = 40  # of a stream: no more than are sent within the time after which its reader gives up
_READY_SECONDS = 600.0


class Tally:
    """How many messages were handled, for the services of this process."""

    value = _target = 0
    _reached = asyncio.Event()

    def add(self) -> None:
        Tally.value += 1
        if Tally.value == Tally._target:
            Tally._reached.set()

    @classmethod
    async def reach(cls, target: int) -> None:
        """Wait until so many were handled, without looking again and again: that would be counted."""
        if cls.value < target:
            cls._target = target
            cls._reached.clear()
            await cls._reached.wait()


_marks: list[float] = []


def start_counting() -> None:
    """Let callgrind count from now on: before that it is six times as fast."""
    if os.environ.get("BENCH_COUNTS"):
        control = subprocess.Popen(["callgrind_control", "--instr=on", str(os.getpid())], stdout=sys.stderr)
        while control.poll() is None:  # callgrind reads the command while the process executes instructions
            pass
        assert control.returncode == 0, "callgrind_control failed"


def mark() -> None:
    """What `--dump-before` of callgrind names; nothing else here calls it.

    The time in which callgrind writes a dump is of the next run, as is the work that becomes due in it.
    """
    _marks.append(time.monotonic())
    os.getloadavg()


def write_times() -> None:
    """Write the seconds before each mark, from the mark before; for the first one, 0."""
    seconds = [after - before for before, after in zip(_marks[:1] + _marks[:-1], _marks, strict=True)]
    Path(os.environ["BENCH_TIMES"]).write_text(json.dumps(seconds))


def main(place: str, idle: float, rows: list[str]) -> None:
    wanted = {name: int(count) for name, _, count in (row.partition("=") for row in rows)}
    if place == "bus":
        asyncio.run(_count_bus(wanted, idle))
    else:
        _count_web(wanted, idle)


async def _count_bus(wanted: dict[str, int], idle: float) -> None:
    driving.Tally, shapes.ITEMS = Tally, _ITEMS
    apps: list[Daebus] = []
    Daebus.run = lambda app: apps.append(app)  # noqa: PLW0108  # a method, which the script calls at its end
    _have_patience()
    url = os.environ["DAEBUS_REDIS_URL"]
    sys.argv[1:] = ["serve", url]
    peer = importlib.import_module("bus_daebus")
    async with apps[0].asgi.lifespan(), Bus(url) as bus:

        async def stream() -> None:
            async for _ in bus.stream(peer.USERS, shapes.QUERY, timeout=_TIMEOUT):
                pass

        operations = {
            "call": lambda: bus.call(peer.GET_USER, shapes.QUERY, timeout=_TIMEOUT),
            "call_10k": lambda: bus.call(peer.ECHO, shapes.TEXT, timeout=_TIMEOUT),
            "stream": stream,
            "send": lambda: bus.send(peer.NOTE, shapes.QUERY),
            "publish_1": lambda: bus.publish(peer.ONE, shapes.USER),
            "publish_10": lambda: bus.publish(peer.TEN, shapes.USER),
        }
        start_counting()
        hearers = {"send": 1, "publish_1": 1, "publish_10": 10}
        for name, count in wanted.items():
            operation, _, in_flight = name.partition(":")
            work = _Work(operations[operation], int(in_flight), hearers.get(operation, 0))
            for repeated in (_WARM_UP * int(in_flight), *(times * count for times in _TIMES)):
                await work.repeat(repeated)
                mark()
        for seconds in (_SETTLING, idle):
            await asyncio.sleep(seconds)
            mark()
        write_times()


def _have_patience() -> None:
    """The counter slows the process down fifty times: it must not be late with its heartbeats, nor its streams."""
    for name in ("daebus.bus.inbox", "daebus.transports.replies"):  # the second one is that of 1.0.0.dev0
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)._SILENCE_SECONDS = _TIMEOUT  # noqa: SLF001
    defaults = Daebus.__init__.__kwdefaults__
    if "lease" in defaults:  # in 1.0.0.dev0 before `Settings`
        defaults["lease"] = _LEASE
    else:
        daebus.Settings = functools.partial(daebus.Settings, lease=_LEASE)


class _Work:
    def __init__(self, operation: Callable[[], Awaitable[object]], in_flight: int, hearers: int) -> None:
        self._operation = operation
        self._in_flight = in_flight
        self._hearers = hearers

    async def repeat(self, count: int) -> None:
        """Do the operation so often, and wait until all is handled."""
        target = Tally.value + count * self._hearers
        await asyncio.gather(*(self._one_after_the_other(count // self._in_flight) for _ in range(self._in_flight)))
        await Tally.reach(target)

    async def _one_after_the_other(self, count: int) -> None:
        for _ in range(count):
            await self._operation()


def _count_web(wanted: dict[str, int], idle: float) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def drive() -> None:
        try:
            _drive_web(port, wanted, idle)
        except Exception:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)  # without a stop, which would take longer than it may

    threading.Thread(target=drive).start()
    sys.argv[1:] = [str(port)]
    importlib.import_module("web_daebus")  # it serves until the process ends


def _drive_web(port: int, wanted: dict[str, int], idle: float) -> None:
    _wait_for(port)
    start_counting()
    for name, count in wanted.items():
        request, open_client = _REQUESTS[name]
        crowd = [open_client(port) for _ in range(_CROWD)]
        if name == "broadcast":
            _ask(crowd, crowd, _REQUESTS["echo"][0])  # whoever has an answer hears broadcasts, too
        asking = crowd[:1] if name == "broadcast" else crowd
        for rounds in (_WARM_UP, *(times * count // len(asking) for times in _TIMES)):
            for _ in range(rounds):
                _ask(asking, crowd, request)
            mark()
        for client in crowd:
            client.close()
    for seconds in (_SETTLING, idle):
        time.sleep(seconds)
        mark()
    write_times()


def _ask(asking: "list[_HttpClient]", answered: "list[_HttpClient]", request: bytes) -> None:
    for client in asking:
        client.send(request)
    for client in answered:
        client.receive()


def _wait_for(port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _ask(crowd := [_HttpClient(port)], crowd, _REQUESTS["get"][0])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_TURN)
        else:
            return crowd[0].close()


class _HttpClient:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send = self._socket.sendall
        self.close = self._socket.close

    def receive(self) -> None:
        """Wait for an answer."""
        got = b""
        while True:
            if not (more := self._socket.recv(1 << 16)):
                raise ConnectionResetError("the server closed the connection")
            got += more
            head, end, body = got.partition(b"\r\n\r\n")
            if end and len(body) == int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
                assert head.startswith(b"HTTP/1.1 20"), head
                return


class _SocketClient(_HttpClient):
    """A WebSocket, for messages of less than 126 bytes."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.send(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        assert head.startswith(b"HTTP/1.1 101"), head

    def receive(self) -> None:
        """Wait for a message."""
        while True:
            opcode, size = self._read(2)
            payload = self._read(size)
            if opcode & 15 == _TEXT:
                return
            assert opcode & 15 == _PING, payload
            self.send(_frame(_PONG, payload))

    def _read(self, size: int) -> bytes:
        got = self._socket.recv(size, socket.MSG_WAITALL)
        assert len(got) == size, "the server closed the connection"
        return got


def _frame(opcode: int, payload: bytes) -> bytes:
    """A frame whose mask is zero."""
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


_USER = b'{"email":"ada@example.com","name":"Ada"}'
_REQUESTS = {
    "get": (b"GET /users/u1 HTTP/1.1\r\nHost: localhost\r\n\r\n", _HttpClient),
    "post": (
        b"POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(_USER), _USER),
        _HttpClient,
    ),
    "echo": (_frame(_TEXT, b'{"type":"echo","data":{"text":"hello"},"id":1}'), _SocketClient),
    "broadcast": (_frame(_TEXT, b'{"type":"broadcast","data":{"text":"hello"}}'), _SocketClient),
}

main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
