"""The process of a service: its event loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from daebus.core.diagnostics import wants_colour
from daebus.core.errors import ConfigurationError, DaebusError, StartupError, render
from daebus.core.logs import configure_logging, make_logger
from daebus.core.places import caller_place
from daebus.transports.server_limits import raise_descriptors

from .assembly import Assembly
from .process import Loop, loop_factory, tuned_collector
from .signals import StopSignals
from .usercode import is_loading
from .web import Served, serve

__all__ = ["run"]


def run(
    check: Callable[[], Assembly],
    *,
    redis_url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    share_port: bool = False,
    loop: Loop | None = None,
    report: Callable[[Served], None] | None = None,
) -> None:
    """Run a service in an event loop of its own until SIGTERM or SIGINT; then stop it and return.

    A second signal ends the process at once. In a thread other than the main one no signals are handled.

    Args:
        check: Makes the app ready to be run.
        redis_url: See `serve`, as for the next three.
        host: Where to listen.
        port: Likewise.
        share_port: Whether other processes listen there too.
        loop: See `loop_factory`.
        report: Called once the service is served.

    Raises:
        SystemExit: With 1, after stderr said why: the service did not start, crashed, or did not stop well.
        ConfigurationError: An event loop runs in this thread already.
        StartupError: The module that calls it is only being imported.
    """
    _refuse_wrong_place()
    try:
        make_loop = loop_factory(loop)
        made = check()
        configure_logging(service=made.service, instance=str(os.getpid()))
    except DaebusError as error:
        _explain(error)
        raise SystemExit(1) from None
    serving = serve(made, redis_url=redis_url, host=host, port=port, share_port=share_port)
    if not _Run(serving, make_loop, report).to_the_end():
        raise SystemExit(1)


def _refuse_wrong_place() -> None:
    if is_loading():
        raise StartupError(
            f"{caller_place()}: app.run() is called while the module is imported. "
            'Put it under `if __name__ == "__main__":`, as the daebus command runs the app itself.'
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError(
        "app.run() runs an event loop of its own, and one runs in this thread already: "
        "call it outside of `async def`, or let an ASGI server run app.asgi."
    )


def _explain(error: DaebusError) -> None:
    """Say on stderr, in words for people and once, why there is no service."""
    sys.stderr.write(f"Error: {render(error, colour=wants_colour(sys.stderr))}\n")
    sys.stderr.flush()


def _force(number: int) -> NoReturn:
    # Neither by the log nor by stderr's buffer: the signal may have come while their locks were held.
    os.write(2, f"Forced to exit by a second signal, {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


class _Run:
    """One run, from the first task of its event loop to the last."""

    def __init__(
        self,
        serving: AbstractAsyncContextManager[Served],
        make_loop: Callable[[], asyncio.AbstractEventLoop],
        report: Callable[[Served], None] | None,
    ) -> None:
        self._serving = serving
        self._make_loop = make_loop
        self._report = report
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._started = False

    def to_the_end(self) -> bool:
        """Run, with as many descriptors as may be. Returns whether all went well."""
        raise_descriptors()
        runner = asyncio.Runner(loop_factory=self._make_loop)
        # The signals are left last: a thread that does not end may hold up the closing of the loop.
        with StopSignals(runner.get_loop(), self._ask, _force), runner:
            return runner.run(self._main())

    def _ask(self) -> None:
        self._stop.set()
        if not self._started and self._task is not None:
            self._task.cancel()

    async def _main(self) -> bool:
        self._task = asyncio.create_task(self._serve(), name="service")
        await asyncio.wait({self._task})
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None:
            self._tell(error)
        elif not self._stop.is_set():
            make_logger().critical("service was cancelled")
        return error is None and self._stop.is_set()

    async def _serve(self) -> None:
        async with self._serving as served:
            self._started = True
            if self._report is not None:
                self._report(served)
            with tuned_collector():
                await self._stop.wait()

    def _tell(self, error: BaseException) -> None:
        logger = make_logger()
        if self._started:
            logger.critical("service did not stop well" if self._stop.is_set() else "service crashed", exc_info=error)
        elif isinstance(error, DaebusError):
            logger.debug("service did not start", exc_info=error)
            _explain(error)
        else:
            logger.critical("service did not start", exc_info=error)
