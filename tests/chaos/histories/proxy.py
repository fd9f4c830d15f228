"""A process that stands between all processes and their servers, and breaks the connections of some of them.

It is told what to do by lines of JSON on its standard input, and answers each with a line. It tells its clients apart
by the process that owns the other end of a connection, so the servers of a cluster can announce its ports.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Literal

import msgspec

__all__ = ["Command", "Mode"]

Mode = Literal["flow", "stall", "silent", "deaf", "mute"]
"""``stall``: nothing gets through, and comes later. What is lost for ever: ``silent``: everything, ``deaf``: what the
servers say, ``mute``: what the process says. New connections are accepted in every mode."""

_PIECE = 65_536


class Command(msgspec.Struct, omit_defaults=True):
    """What the proxy is to do.

    Attributes:
        do: ``serve`` a port; ``know`` a process; ``set`` a mode and a delay; or ``cut`` connections.
        name: The process; empty: all of them, also those that it does not know.
        port: Where it listens.
        target: The port of the server behind it.
        pid: The process.
        mode: How it treats the connections.
        delay: By how many seconds everything is late.
        connection: Which one of the process's connections, in the order of their beginnings; None: all, and new ones.
    """

    do: Literal["serve", "know", "set", "cut"]
    name: str = ""
    port: int = 0
    target: int = 0
    pid: int = 0
    mode: Mode = "flow"
    delay: float = 0.0
    connection: int | None = None


class _Way:
    """How connections are treated."""

    def __init__(self) -> None:
        self.mode: Mode = "flow"
        self.delay = 0.0
        self.flowing = asyncio.Event()
        self.flowing.set()

    def set(self, mode: Mode, delay: float) -> None:
        self.mode, self.delay = mode, delay
        if mode == "stall":
            self.flowing.clear()
        else:
            self.flowing.set()

    def drops(self, *, answers: bool) -> bool:
        return self.mode in ("silent", "deaf" if answers else "mute")


class _Connection:
    """A connection of a process with a server."""

    def __init__(self, name: str, ways: list[_Way], client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.name = name
        self.own = _Way()
        self.ways = [self.own, *ways]
        self.has_lost = False
        self._ends = client, server

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(_PIECE):
            if late := max(way.delay for way in self.ways):
                await asyncio.sleep(late)
            while not all(way.flowing.is_set() for way in self.ways):
                for way in self.ways:
                    await way.flowing.wait()
            if any(way.drops(answers=answers) for way in self.ways):
                self.has_lost = True
            else:
                writer.write(data)
                await writer.drain()
        if not self.has_lost:
            writer.close()

    def cut(self) -> None:
        """Break it, as a middlebox does that has forgotten it."""
        for end in self._ends:
            sock: socket.socket | None = end.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()


class _Proxy:
    def __init__(self) -> None:
        self._pids: dict[int, str] = {}
        self._ways: dict[str, _Way] = {"": _Way()}
        self._open: list[_Connection] = []
        self._listeners: list[asyncio.Server] = []

    async def obey(self, command: Command) -> None:
        chosen = self._chosen(command)
        if command.do == "serve":
            await self._listen(command.port, command.target)
        elif command.do == "know":
            self._pids[command.pid] = command.name
        elif command.do == "cut":
            for connection in chosen:
                connection.cut()
        else:
            ways = [self._way(command.name)] if command.connection is None else [one.own for one in chosen]
            for way in ways:
                way.set(command.mode, command.delay)
            for connection in chosen:
                if command.mode == "flow" and connection.has_lost:
                    connection.cut()

    def _chosen(self, command: Command) -> list[_Connection]:
        all_of = [one for one in self._open if command.name in ("", one.name)]
        if command.connection is None or not all_of:
            return all_of
        return [all_of[command.connection % len(all_of)]]

    def _way(self, name: str) -> _Way:
        return self._ways.setdefault(name, _Way())

    async def _listen(self, port: int, target: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await self._serve(reader, writer, target)
            except OSError:
                writer.close()

        self._listeners.append(await asyncio.start_server(serve, "127.0.0.1", port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
        name = self._owner(writer.get_extra_info("peername")[1])
        there, back = await asyncio.open_connection("127.0.0.1", target)
        connection = _Connection(name, [self._way(""), self._way(name)], writer, back)
        self._open.append(connection)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(connection.pump(reader, back, answers=False))
                both.create_task(connection.pump(there, writer, answers=True))
        except* OSError:
            pass
        finally:
            self._open.remove(connection)
            writer.close()
            back.close()

    def _owner(self, port: int) -> str:
        """The name of the process whose end of a connection has this port."""
        mine = f"0100007F:{port:04X}"
        rows = (row.split() for row in Path("/proc/net/tcp").read_text().splitlines())
        sockets = {f"socket:[{row[9]}]" for row in rows if row[1] == mine and row[9] != "0"}
        return next((name for pid, name in self._pids.items() if sockets & _descriptors(pid)), "")


def _descriptors(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            found.add(os.readlink(entry.path))
    except OSError:  # it has ended, or closed one of them
        pass
    return found


async def _main() -> None:
    proxy, decode = _Proxy(), msgspec.json.Decoder(Command).decode
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        await proxy.obey(decode(line))
        sys.stdout.write("done\n")
        sys.stdout.flush()
    os._exit(0)  # without a wait for the connections


if __name__ == "__main__":
    asyncio.run(_main())
