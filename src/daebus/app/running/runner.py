"""The process of a service: its event loop, its signals, its exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn

from daebus.app.assembly import Assembly
from daebus.app.settings import stop_seconds
from daebus.core.cancelling import EXITS
from daebus.delivery.grace import Grace
from daebus.delivery.standing import standing_of_task
from daebus.errors import ConfigurationError, DaebusError, StartupError, render
from daebus.mistakes.places import caller_place
from daebus.mistakes.render import wants_colour
from daebus.process.loop import Loop, loop_factory, tuned_collector
from daebus.process.notifier import Notifier
from daebus.process.signals import StopSignals
from daebus.process.stopguard import StopGuard
from daebus.process.usercode import is_loading
from daebus.server.limits import raise_descriptors
from daebus.telemetry.logs import configure_logging, make_logger

from .listening import AS_CONFIGURED, Listening
from .web import Served, serve

__all__ = ["run"]

_REST_SECONDS = 0.3


def run(
    check: Callable[[], Assembly],
    *,
    redis_url: str | None = None,
    listening: Listening = AS_CONFIGURED,
    loop: Loop | None = None,
    report: Callable[[Served], None] | None = None,
    then_exits: bool = False,
) -> None:
    """Run a service in an event loop of its own until SIGTERM or SIGINT; then stop it and return.

    A second signal ends the process at once. A stop that takes 5 s longer than the limit for work in flight ends it
    with exit code 1; so do threads of the service that keep the process alive for as long. In a thread other than the
    main one, no signals are handled, and nothing ends the process.

    Args:
        check: Checks and compiles the app.
        redis_url: The server, as in `serve`.
        listening: Where it listens, as in `serve`.
        loop: See `loop_factory`.
        report: Tells the parent process that the service is ready. The parent then watches for hangs; without it, this
            process exits with code 1 if its event loop hangs.
        then_exits: Whether the process exits after this run, so that its exit is part of the stop.

    Raises:
        SystemExit: With code 1, after a message on stderr: the service did not start, crashed, or did not stop cleanly.
        ConfigurationError: An event loop already runs in this thread.
        StartupError: The calling module is still being imported.
    """
    _refuse_wrong_place()
    try:
        make_loop = loop_factory(loop)
        made = check()
        configure_logging(service=made.service, instance=str(os.getpid()))
    except DaebusError as error:
        _explain(error)
        raise SystemExit(1) from None
    serving = serve(made, redis_url=redis_url, listening=listening, tells_end=False)
    if not _Run(serving, make_loop, report, stop_seconds(made.settings)).to_the_end(then_exits):
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
        "call it outside `async def`, or run app.asgi with an ASGI server."
    )


def _explain(error: DaebusError) -> None:
    """Print once on stderr, in plain words, why the service does not run."""
    sys.stderr.write(f"Error: {render(error, colour=wants_colour(sys.stderr))}\n")
    sys.stderr.flush()


def _force(number: int) -> NoReturn:
    # Use neither the log nor stderr's buffer: the signal may have come while their locks were held.
    os.write(2, f"Forced to exit by a second signal, {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


class _Run:
    """One run, from the first task of its event loop to the last."""

    def __init__(
        self,
        serving: AbstractAsyncContextManager[Served],
        make_loop: Callable[[], asyncio.AbstractEventLoop],
        report: Callable[[Served], None] | None,
        seconds: float,
    ) -> None:
        self._serving = serving
        self._make_loop = make_loop
        self._report = report
        self._stop_seconds = seconds
        self._notifier = Notifier(os.environ if report is None else {})  # else the parent process notifies systemd
        self._guard: StopGuard | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._started = False
        self._is_left = False
        self._grace: Grace | None = None

    def to_the_end(self, then_exits: bool) -> bool:  # noqa: FBT001  # as the name of the method says
        """Run, with the highest allowed limit of file descriptors. Returns whether all went well."""
        raise_descriptors()
        runner = asyncio.Runner(loop_factory=self._make_loop)
        guard = self._guard = StopGuard(runner.get_loop(), self._stop_seconds, exits=then_exits)
        guard.start()
        # Signal handling ends last: a thread that does not end may delay the closing of the loop.
        with StopSignals(runner.get_loop(), self._ask, _force, guard.arm):
            try:
                return self._run(runner.get_loop(), guard)
            finally:
                if not self._is_left:  # else closing would wait for tasks that do not end
                    runner.close()
                guard.disarm()

    def _run(self, loop: asyncio.AbstractEventLoop, guard: StopGuard) -> bool:
        main = loop.create_task(self._main(guard), name="main")
        while True:
            try:
                return loop.run_until_complete(main)
            except EXITS as error:  # a task that a handler has made raised it: then the event loop returns at once
                if main.done() or (self._task is not None and self._task.done()):
                    raise
                make_logger().error("a task wanted to end the process: it has failed", exc_info=error)

    def _ask(self) -> None:
        if self._guard is not None:
            self._guard.noticed()
        self._notifier.stopping()
        self._stop.set()
        if not self._started and self._task is not None:
            self._task.cancel()

    async def _main(self, guard: StopGuard) -> bool:
        self._task = asyncio.create_task(self._serve(), name="service")
        await asyncio.wait({self._task})
        guard.arm()
        guard.noticed()
        error = None if self._task.cancelled() else self._task.exception()
        if error is not None:
            self._tell(error)
        elif not self._stop.is_set():
            make_logger().critical("service was cancelled")
        has_ended = await self._end_rest(guard)
        if error is not None or not self._stop.is_set():
            return False
        if self._grace is None:  # the service had not started
            return True
        if has_ended:
            self._grace.tell_end()
        return not self._grace.unended

    async def _end_rest(self, guard: StopGuard) -> bool:
        """Cancel the remaining tasks; if one does not end, or a handler still runs in a thread, end the process.

        Returns:
            Whether everything has ended; if not, this was logged.
        """
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            _, rest = await asyncio.wait(rest, timeout=_REST_SECONDS)
        self._is_left = bool(rest)
        unended = [*map(standing_of_task, rest), *(one for one in guard.busy_threads() if one.handler is not None)]
        if unended:
            guard.give_up(unended)
        return not unended

    async def _serve(self) -> None:
        async with self._serving as served:
            self._grace = served.runtime.grace
            if self._guard is not None:
                self._guard.exit_notifier = served.runtime.exit_notifier
                if self._report is None:
                    served.runtime.exit_hung = self._guard.exit_hung
            self._started = True
            if self._report is not None:
                self._report(served)
            with tuned_collector():
                async with self._notifier.serving(_status(served)):
                    await self._stop.wait()

    def _tell(self, error: BaseException) -> None:
        logger = make_logger()
        if self._started:
            logger.critical(
                "service did not stop cleanly" if self._stop.is_set() else "service crashed", exc_info=error
            )
        elif isinstance(error, DaebusError):
            logger.debug("service did not start", exc_info=error)
            _explain(error)
        else:
            logger.critical("service did not start", exc_info=error)


def _status(served: Served) -> str:
    """The line of ``systemctl status``."""
    ports = ", ".join(f"{name} on port {port}" for name, port in served.ports.items())
    return f"{served.runtime.made.service} serves {ports or 'messages of the bus'}"
