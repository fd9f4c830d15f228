"""Several processes that serve one port: started, watched, replaced, stopped together."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import NoReturn

from daebus.core.logs import configure_logging, make_logger

from .children import Child, Started
from .signals import StopSignals

__all__ = ["Supervisor"]

_FIRST_SECONDS = 5.0
_FIRST_PAUSE = 0.1
_GROWTH = 3


class Supervisor:
    """Keeps workers alive until SIGTERM or SIGINT, which it passes on.

    The first worker starts alone, so that whatever is wrong with the app, its server or its port is said once. A
    worker that ends is replaced at once, or after a growing pause where it did not live long. Where too many in a row
    do not, the supervisor stops the others and gives up.

    Args:
        arguments: The command line of a worker: ``run TARGET ...``.
        workers: How many.
        tries: How many in a row may end in their first seconds.
    """

    def __init__(self, arguments: Sequence[str], workers: int, *, tries: int = 5) -> None:
        self._arguments = list(arguments)
        self._workers = workers
        self._tries = tries
        self._logger = make_logger()
        self._children: set[Child] = set()

    async def run(self) -> int:
        """Start the workers, and return an exit code when all have ended.

        The code is 0 after a signal, that of the first worker where it does not start, and 1 where workers do not live.
        """
        keeping = asyncio.create_task(self._keep_all())
        with StopSignals(asyncio.get_running_loop(), keeping.cancel, self._force):
            await asyncio.wait({keeping})
            await asyncio.gather(*(child.stop() for child in self._children))
        return 0 if keeping.cancelled() else keeping.result()

    def _force(self, number: int) -> NoReturn:
        for child in list(self._children):
            child.kill()
        os._exit(128 + number)

    async def _keep_all(self) -> int:
        first = await self._start()
        started = await first.started()
        if started is None:
            await first.wait()
            self._children.discard(first)
            return first.exit_code
        self._prepare(started)
        others = [self._start() for _ in range(self._workers - 1)]
        keepers = [asyncio.create_task(self._keep(child)) for child in [first, *await asyncio.gather(*others)]]
        try:
            done, _ = await asyncio.wait(keepers, return_when=asyncio.FIRST_COMPLETED)
            for keeper in done:
                keeper.result()
        finally:
            for keeper in keepers:
                keeper.cancel()
        return 1

    def _prepare(self, started: Started) -> None:
        configure_logging(service=started.service, instance=f"supervisor-{os.getpid()}")
        # The first one has made sure that the port is ours. Where it was asked for any free one, it says which.
        self._arguments.append("--share-port")
        if started.port is not None:
            self._arguments += ["--port", str(started.port)]
        self._logger.info("workers start", workers=self._workers)

    async def _start(self) -> Child:
        child = await Child.start(self._arguments, apart=True)
        self._children.add(child)
        return child

    async def _keep(self, child: Child) -> None:
        """Keep a place filled. Returns where those that fill it do not live."""
        early = 0
        while True:
            serving = await child.started() is not None
            since = time.monotonic()
            how = await child.wait()
            self._children.discard(child)
            lived = serving and time.monotonic() - since > _FIRST_SECONDS
            early = 0 if lived else early + 1
            if early == self._tries:
                self._logger.critical("workers end too soon: giving up", pid=child.pid, how=how)
                return
            self._logger.warning("worker ended, another one starts", pid=child.pid, how=how)
            if early:
                await asyncio.sleep(_FIRST_PAUSE * _GROWTH ** (early - 1))
            child = await self._start()
