"""The network between the hosts and the real server: batches of commands that are late, stalled, cut, or executed late.

Commands of one connection stay in order, those of several do not. What is sent on a connection that is then cut may
still be executed. What depends on time is rewritten on its way to the server: TIME, the ids of new entries, and the
waiting of XREADGROUP. Everything else is executed as it is.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import re
import socket
import zlib
from collections import deque
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, cast

import hiredis

from daebus.connection.outages import ServerUnavailable
from daebus.connection.redis_server import RedisServer
from daebus.connection.resp import pack
from daebus.connection.scripts import Script
from daebus.connection.session import Greeting, Session
from daebus.core.timings import Timings

from .virtual import EPOCH, Host, World

__all__ = ["Connection", "SimNetwork", "SimServer", "known_scripts"]

_SHIM = """
local sim_time, sim_redis, sim_told = table.remove(ARGV), redis, ''
local function sim_id(key)
    local ms, info = string.sub(sim_time, 1, -4), sim_redis.pcall('XINFO', 'STREAM', key)
    if info.err then return ms .. '-0' end
    local last = '0-0'
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
    local last_ms, last_seq = string.match(last, '(%d+)-(%d+)')
    if tonumber(last_ms) < tonumber(ms) then return ms .. '-0' end
    return last_ms .. '-' .. string.format('%.0f', tonumber(last_seq) + 1)
end
local function sim_run(run, name, ...)
    if name ~= 'TIME' and name ~= 'XADD' and name ~= 'PUBLISH' and name ~= 'XGROUP' then return run(name, ...) end
    if name == 'TIME' then return {string.sub(sim_time, 1, -7), string.sub(sim_time, -6)} end
    local args = {...} if name == 'PUBLISH' then sim_told = sim_told .. ' !' .. args[1] end
    if name == 'XGROUP' and args[1] ~= 'DELCONSUMER' then sim_told = sim_told .. ' ' .. args[2] end
    if name == 'XADD' then
        sim_told = sim_told .. ' ' .. args[1]
        for i = 2, #args do
            if args[i] == '*' then args[i] = sim_id(args[1]) break end
        end
    end
    return run(name, unpack(args))
end
local redis = setmetatable({
    call = function(...) return sim_run(sim_redis.call, ...) end,
    pcall = function(...) return sim_run(sim_redis.pcall, ...) end,
}, {__index = sim_redis})
local function sim_script()
"""
_SHIM_END = """
end
local sim_reply = sim_script()
return {sim_told == '' and 0 or sim_told, sim_reply == nil and false or sim_reply}
"""
_SHIMMED = re.compile(rb"\*2\r\n(?::0|\$\d+\r\n([^\r]+))\r\n")
"""What stands before the reply of a script: the streams to which it has added, and the channels, each with a mark."""

_DATABASE = 9
_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 0.05  # between two looks at whether a fault has ended
_NIL = b"*-1\r\n"
_BULK, _ARRAY = b"$*"
_BARRIERS = (b"*2\r\n$4\r\npong\r\n$7\r\nbarrier\r\n", b"$7\r\nbarrier\r\n")

Command = tuple[bytes, ...]


class SimServer(RedisServer):
    """The server as one host sees it: connections go over the simulated network."""

    @classmethod
    def over(cls, network: SimNetwork, host: Host, timings: Timings) -> SimServer:
        server = cls.from_url("redis://simulated:6379/0", timings=timings)
        object.__setattr__(server, "_network", network)
        object.__setattr__(server, "_host", host)
        return cast("SimServer", server)

    async def check(self) -> None:
        pass

    async def connect(self, key: str | None = None) -> Session:
        inside = cast("Any", self)
        return cast("Session", await inside._network.connect(inside._host))


class _Transport(asyncio.Transport):
    """The client's end of a connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._connection.protocol = cast("asyncio.Protocol", protocol)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.send(bytes(data))

    def is_closing(self) -> bool:
        return self._connection.is_cut

    def close(self) -> None:
        self._connection.cut(executes=True)

    def abort(self) -> None:
        self._connection.cut(executes=self._connection.network.world.rng.random() < 0.5)

    async def disconnect(self, nowait: bool = False) -> None:
        self.close()


class Connection:
    """A connection of a host to the server.

    Attributes:
        name: Its name in the trace.
        stalled_until: Until then, nothing arrives in either direction.
        is_cut: Whether the client's end is gone.
        channels: What it has subscribed to.
    """

    def __init__(self, network: SimNetwork, host: Host, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.network = network
        self.host = host
        self.loop = loop
        self.number = number
        self.name = f"{host.name}.{number}"
        self.protocol: asyncio.Protocol | None = None
        self.stalled_until = 0.0
        self.is_cut = False
        self.is_closed = False
        self._lingers = False
        self.inbox: deque[Command] = deque()
        self.waits: tuple[Command, float] | None = None
        self.channels: set[bytes] = set()
        self._arrives = self._returns = 0.0
        self._sent: deque[bytes] = deque()
        self._replied: deque[bytes] = deque()
        self._reader = hiredis.Reader()
        self._line: _Line | None = None

    def send(self, data: bytes) -> None:
        """The client has written a batch."""
        if self.is_cut:
            return
        world = self.network.world
        self._arrives = max(self._arrives, world.now + self.network.delay(), self.stalled_until)
        self._sent.append(data)
        world.at(self._arrives, self._arrived)

    def _arrived(self) -> None:
        if self.stalled_until > self.network.world.now:
            self.network.world.at(self.stalled_until, self._arrived)
            return
        data = self._sent.popleft()
        if self.is_closed:
            return
        self._reader.feed(data)
        while isinstance(command := self._reader.gets(), list):
            self.inbox.append(tuple(cast("list[bytes]", command)))
        self.network.serve(self)

    def execute(self, commands: Sequence[Command]) -> list[bytes]:
        """Have the server execute some commands, and return its replies."""
        if self._line is None and any(command[0] == b"SUBSCRIBE" for command in commands):
            self._line = self.network.dial()
        return (self._line or self.network.line).execute(commands)

    def published(self) -> bytes:
        """What the server has written on its own."""
        return b"" if self._line is None else self._line.published()

    def reply(self, data: bytes) -> None:
        """The server has written something."""
        if self.is_cut or not data:
            return
        world = self.network.world
        self._returns = max(self._returns, world.now + self.network.delay(), self.stalled_until)
        self._replied.append(data)
        world.at(self._returns, self._returned)

    def _returned(self) -> None:
        if self.stalled_until > self.network.world.now:
            self.network.world.at(self.stalled_until, self._returned)
            return
        data = self._replied.popleft()
        if not (self.is_cut or self.host.is_dead or self.protocol is None):
            self.loop.call_soon(self._received, data)

    def _received(self, data: bytes) -> None:
        if self.protocol is not None and not self.is_cut:
            self.protocol.data_received(data)

    def cut(self, *, executes: bool, lingers: bool = False) -> None:
        """The client's end is gone.

        Args:
            executes: Whether the server still executes what was sent before.
            lingers: Whether it is not told, and so ends a command that blocks there no sooner than otherwise.
        """
        if self.is_cut:
            return
        self.is_cut = True
        self._lingers = lingers
        if not executes:
            self.close()
        else:
            self.network.world.at(self._arrives, self.close_when_done)
        if self.protocol is not None and not self.host.is_dead:
            self.loop.call_soon(self.protocol.connection_lost, None)

    def close_when_done(self) -> None:
        """Close the server's end once all commands have been executed."""
        if self.inbox or self._sent or self.waits is not None:
            if self.waits is not None and not self._lingers:  # the server finds a closed connection of a blocked client
                self.close()
                return
            self.network.world.at(self.network.world.now + 0.01, self.close_when_done)
        else:
            self.close()

    def close(self) -> None:
        """Close the server's end."""
        if not self.is_closed:
            self.is_closed = True
            self.inbox.clear()
            self.waits = None
            if self._line is not None:
                self._line.close()


class SimNetwork:
    """The network and the server.

    Args:
        world: Its world.
        path: The Unix socket of the real server, whose database 9 is emptied.

    Attributes:
        hung_until: Until then, the server executes nothing.
        clock: How far the server's clock is ahead of the world, in seconds.
        line: The connection over which commands are executed, except those of connections that subscribe.
        slow: How many of the batches are late.
        quick_until: Until then, none is.
        trace: One line for each batch that was executed.
    """

    def __init__(self, world: World, path: str) -> None:
        self.world = world
        self.hung_until = 0.0
        self.clock = 0.0
        self.slow = 0.0
        self.quick_until = 0.0
        self.trace: list[str] = []
        self.connections: list[Connection] = []
        self._path = path
        self._added: set[bytes] = set()
        self._published: set[bytes] = set()
        self._admin = _Admin(path)
        self._admin.ask(b"FLUSHDB")
        self.line = self.dial()
        self._scripts = {sha: self._load(text) for sha, text in known_scripts().items()}
        self._passing = self._load("return redis.call(unpack(ARGV))")

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.line.close()
        self._admin.close()

    def ask(self, *command: bytes) -> Any:
        """The reply to a command of the test's own, executed at once."""
        return self._admin.ask(*command)

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to several; an error is one, too."""
        return self._admin.ask_all(commands)

    def dial(self) -> _Line:
        """A connection to the real server."""
        return _Line(self._path)

    def delay(self) -> float:
        """How long a batch is on its way: mostly a fraction of a millisecond."""
        rng = self.world.rng
        is_late = rng.random() <= 0.02 + self.slow and self.quick_until < self.world.now
        return rng.uniform(0.002, 0.3) if is_late else rng.uniform(0.0001, 0.002)

    async def connect(self, host: Host) -> Session:
        """A new connection of a host. Raises `Unavailable` while the host is cut off or the server hangs."""
        limit = self.world.now + _CONNECT_SECONDS
        # Not asleep until then: if the fault ends earlier, the server answers what it has got meanwhile.
        while max(self.hung_until, host.away_until) > self.world.now:
            if self.world.now >= limit:
                raise ServerUnavailable("The simulated server does not answer.")
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(self.delay())
        connection = Connection(self, host, len(self.connections) + 1, asyncio.get_running_loop())
        self.connections.append(connection)
        greeting = Greeting(connection.number, "valkey", "9.0", "standalone", is_primary=True)
        transport = _Transport(connection)
        return Session("simulated", transport, greeting, cast("Any", transport))

    def serve(self, connection: Connection) -> None:
        """Execute what a connection has sent, unless the server hangs or the connection waits in a blocking command."""
        if self.hung_until > self.world.now:
            self.world.at(self.hung_until, lambda: self.serve(connection))
            return
        if connection.waits is not None or connection.is_closed or not connection.inbox:
            return
        replies: list[bytes] = []
        ordinary: list[Command] = []
        names: list[bytes] = []
        while connection.inbox and connection.waits is None:
            command = connection.inbox.popleft()
            name = command[0]
            names.append(name)
            if name == b"XREADGROUP" and b"BLOCK" in command:
                replies += self._execute(connection, ordinary)
                ordinary = []
                replies += self._read(connection, command)
            elif name == b"CLIENT":
                replies += self._execute(connection, ordinary)
                ordinary = []
                replies.append(self._unblock(int(command[2])))
            else:
                ordinary.append(command)
        replies += self._execute(connection, ordinary)
        data = b"".join(replies)
        about = b" ".join(names).decode()
        self.trace.append(f"{self.world.now:.6f} {connection.name} {about} {zlib.crc32(data):08x}")
        connection.reply(data)
        if self._added or self._published:
            self._tell_others()

    def _execute(self, connection: Connection, commands: Sequence[Command]) -> list[bytes]:
        if not commands:
            return []
        rewritten = [self._rewritten(command) for command in commands]
        replies = connection.execute(rewritten)
        for index, command in enumerate(commands):
            if rewritten[index] is not command:
                if found := _SHIMMED.match(replies[index]):
                    replies[index] = replies[index][found.end() :]
                    for told in (found[1] or b"").split():
                        if told.startswith(b"!"):
                            self._published.add(told[1:])
                        else:
                            self._added.add(told)
            elif command[0] == b"SUBSCRIBE":
                connection.channels.update(command[1:])
            elif command[0] == b"UNSUBSCRIBE":
                connection.channels.difference_update(command[1:])
            elif command[0] == b"PUBLISH":
                self._published.add(command[1])
        return replies

    def _tell_others(self) -> None:
        """Serve those that wait for what was added or published."""
        added, self._added = self._added, set()
        published, self._published = self._published, set()
        if added:
            self._serve_waiting(added)
        if published:
            self._pass_on(published)

    def _read(self, connection: Connection, command: Command) -> list[bytes]:
        at = command.index(b"BLOCK")
        plain = command[:at] + command[at + 2 :]
        reply = connection.execute([plain])[0]
        if reply != _NIL:
            return [reply]
        until = self.world.now + int(command[at + 1]) / 1000
        connection.waits = plain, until
        self.world.at(until, lambda: self._give_up(connection, until))
        return []

    def _give_up(self, connection: Connection, until: float) -> None:
        if connection.waits is not None and connection.waits[1] == until:
            if self.hung_until > self.world.now:
                self.world.at(self.hung_until, lambda: self._give_up(connection, until))
                return
            connection.waits = None
            connection.reply(_NIL)
            self.serve(connection)

    def _unblock(self, number: int) -> bytes:
        found = next((one for one in self.connections if one.number == number and one.waits is not None), None)
        if found is None:
            return b":0\r\n"
        found.waits = None
        found.reply(_NIL)
        self.world.at(self.world.now, lambda: self.serve(found))
        return b":1\r\n"

    def _serve_waiting(self, added: set[bytes]) -> None:
        """Serve the clients that wait for entries of these streams, those first that have waited longest."""
        for connection in [one for one in self.connections if one.waits is not None and not one.is_closed]:
            waiting = connection.waits
            if waiting is None or added.isdisjoint(waiting[0]):
                continue
            if (reply := connection.execute([waiting[0]])[0]) != _NIL:
                connection.waits = None
                connection.reply(reply)
                self.world.at(self.world.now, partial(self.serve, connection))

    def _pass_on(self, published: set[bytes]) -> None:
        """Pass on what was published on these channels: what the server writes before it answers a PING."""
        for connection in self.connections:
            if not connection.is_closed and not published.isdisjoint(connection.channels):
                connection.reply(connection.published())

    def _time(self) -> bytes:
        return str(int((EPOCH + self.world.now + self.clock) * 1_000_000)).encode()

    def _rewritten(self, command: Command) -> Command:
        match command[0]:
            case b"EVALSHA":
                found = self._scripts.get(command[1], b"f" * 40)
                return (b"EVALSHA", found, *command[2:], self._time())
            case b"EVAL":
                sha = hashlib.sha1(command[1], usedforsecurity=False).hexdigest().encode()
                self._scripts[sha] = self._load(command[1].decode())
                return (b"EVALSHA", self._scripts[sha], *command[2:], self._time())
            case b"TIME" | b"XADD":
                return (b"EVALSHA", self._passing, b"0", *command, self._time())
            case _:
                return command

    def _load(self, text: str) -> bytes:
        body = "".join((_SHIM, text.partition("\n")[2] if text.startswith("#!") else text, _SHIM_END)).encode()
        sha = hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
        if self._admin.ask(b"SCRIPT", b"EXISTS", sha) == [0]:
            self._admin.ask(b"SCRIPT", b"LOAD", body)
        return sha


class _Line:
    """A connection to the real server, which executes commands at once; its replies stay as they are."""

    def __init__(self, path: str) -> None:
        self._socket = _dial(path)
        self._reader = hiredis.Reader()
        self.close = self._socket.close

    def execute(self, commands: Sequence[Command]) -> list[bytes]:
        """The replies to some commands."""
        if not commands:
            return []
        self._socket.sendall(b"".join(map(pack, commands)))
        data = self._receive(len(commands))
        return [data] if len(commands) == 1 else _replies(data)

    def published(self) -> bytes:
        """What has arrived on the channels."""
        self._socket.sendall(pack((b"PING", b"barrier")))
        data = b""
        while not data.endswith(_BARRIERS):
            data += self._receive(1)
        return data.removesuffix(_BARRIERS[0]).removesuffix(_BARRIERS[1])

    def _receive(self, count: int) -> bytes:
        """So many replies, or more that have come with them."""
        data = b""
        while True:
            while self._reader.gets() is not False:
                count -= 1
            if count <= 0:
                return data
            piece = self._socket.recv(65536)
            self._reader.feed(piece)
            data += piece


class _Admin:
    """The test's own connection."""

    def __init__(self, path: str) -> None:
        self._socket = _dial(path)
        self._reader = hiredis.Reader()

    def ask(self, *command: bytes) -> Any:
        (reply,) = self.ask_all([command])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        self._socket.sendall(b"".join(map(pack, commands)))
        return [self._next() for _ in commands]

    def _next(self) -> Any:
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(65536))
        return reply

    def close(self) -> None:
        self._socket.close()


@cache
def known_scripts() -> dict[bytes, str]:
    """The texts of all scripts, by the hashes that daebus calls them by; to be asked before any object is frozen."""
    return {one.sha.encode(): one.text for one in gc.get_objects() if isinstance(one, Script)}


def _dial(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.connect(path)
    made.sendall(pack((b"SELECT", b"%d" % _DATABASE)))
    assert made.recv(64) == b"+OK\r\n"
    return made


def _replies(data: bytes) -> list[bytes]:
    """The replies, one by one."""
    start, found = 0, list[bytes]()
    while start < len(data):
        end = _end_of_reply(data, start)
        found.append(data[start:end])
        start = end
    return found


def _end_of_reply(data: bytes, start: int) -> int:
    """Where the reply ends that begins at `start`."""
    line = data.index(b"\r\n", start)
    kind, end = data[start], line + 2
    if kind == _BULK:
        size = int(data[start + 1 : line])
        return end if size < 0 else end + size + 2
    if kind == _ARRAY:
        for _ in range(int(data[start + 1 : line])):
            end = _end_of_reply(data, end)
    return end
