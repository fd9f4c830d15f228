"""``daebus top`` in a terminal, while a service works."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest
from tests.support import until

from daebus import Action, Daebus
from daebus.errors import Conflict
from daebus.testing import running

WORK = Action[int, int]("work", service="shop")


def shop() -> Daebus:
    app = Daebus("shop")

    @app.action(WORK)
    async def work(number: int) -> int:
        if number % 10 == 0:
            raise Conflict("a tenth")
        return number

    return app


class Terminal:
    """A process in a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
        command = [sys.executable, "-m", "daebus", *arguments]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.output = b""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        while True:
            try:
                read = os.read(self._master, 65_536)
            except OSError:  # the process has ended
                return
            self.output += read

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reading.join()
        os.close(self._master)
        return code


@pytest.mark.usefixtures("daebus_redis_url")
async def test_rates_and_durations_of_a_service_at_work_until_ctrl_c() -> None:
    async with running(shop()) as service:
        terminal = await asyncio.to_thread(Terminal, "top", "--interval", "0.2", "--sort", "errors")

        async def shown() -> bool:
            for number in range(20):
                try:
                    await service.call(WORK, number)
                except Conflict:
                    assert number % 10 == 0
            return b"action work" in terminal.output and b"/s" in terminal.output and b"running" in terminal.output

        await until(shown, 60)
        assert await asyncio.to_thread(terminal.interrupt) == 0
        assert b"Traceback" not in terminal.output
