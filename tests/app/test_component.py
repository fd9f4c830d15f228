"""Components of the user's: opened and closed with the service, in order, and refused where they are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
from tests.support import recorded, until

from daebus import (
    Action,
    Component,
    Daebus,
    DaebusHttp,
    Room,
    Running,
    ServiceContainer,
    ServiceRun,
    Settings,
    WiringError,
)
from daebus.app.component import require_component
from daebus.app.kinds import KINDS, kind_of
from daebus.app.running.parts import parts_of
from daebus.app.running.web import WebServers
from daebus.core.timings import Timings
from daebus.declare.recorder import Recorder
from daebus.errors import DaebusError, StartupError, WiringProblem
from daebus.testing import private_redis_url, running

ECHO = Action[str, str]("echo", service="shop")


class Kept:
    """A component that tells when it is opened and closed."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name = name
        self.told = told
        self.run: ServiceRun | None = None

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        self.run = run
        self.told.append(f"{self.name} opened")
        # Both must be left in the task in which they were entered.
        async with asyncio.TaskGroup() as group, asyncio.timeout(60):
            task = group.create_task(asyncio.Event().wait())
            yield
            task.cancel()
        self.told.append(f"{self.name} closed")


def problem_of(attaching: Callable[[], object]) -> WiringProblem:
    with pytest.raises(WiringError) as caught:
        attaching()
    (problem,) = caught.value.problems
    return problem


class TestInAService:
    async def test_they_are_open_while_messages_are_handled_and_closed_in_reverse(self) -> None:
        told = list[str]()
        app, first, second = Daebus("shop"), Kept("first", told), Kept("second", told)
        app.attach(first)
        app.attach(second)
        begun, end = asyncio.Event(), asyncio.Event()

        @app.on_start()
        async def start() -> None:
            told.append("on_start")

        @app.on_stop()
        async def stop() -> None:
            told.append("on_stop")

        @app.action("echo")
        async def echo(text: str) -> str:
            begun.set()
            await end.wait()
            told.append("handled")
            return text

        async with running(app) as service:
            assert told == ["on_start", "first opened", "second opened"]
            asking = asyncio.create_task(service.call(ECHO, "x"))
            await begun.wait()
            assert first.run is not None
            assert not first.run.stopping.is_set()
            stopping = asyncio.create_task(first.run.stopping.wait())
            stopping.add_done_callback(lambda _: end.set())  # the action is in hand until the stop has begun
        assert told[3:] == ["handled", "second closed", "first closed", "on_stop"]
        await asyncio.gather(asking, return_exceptions=True)

    async def test_what_they_are_told_of_the_service(self) -> None:
        app, kept = Daebus("shop", settings=Settings(stop_timeout=7)), Kept("it", [])
        app.attach(kept)

        @app.action("echo")
        async def echo(text: str) -> str:
            return text

        async with running(app):
            run = kept.run
            assert run is not None
            assert (run.service, run.grace, run.container) == ("shop", 7, app.container)
            assert run.container.bus() is run.bus
            assert await run.bus.call(ECHO, "x") == "x"
            assert run.instance
        assert run.grace < 7

    async def test_a_service_may_run_for_its_components_alone_and_again(self) -> None:
        told = list[str]()
        app = Daebus("shop")
        app.attach(Kept("it", told))
        app.check()
        for _ in range(2):
            async with running(app):
                pass
        assert told == ["it opened", "it closed"] * 2


class Failing:
    def __init__(self, error: Exception, *, later: bool = False, closing: bool = False) -> None:
        self._error = error
        self._later = later
        self._closing = closing
        self.fail = asyncio.Event()

    @asynccontextmanager
    async def serving(self, _: ServiceRun) -> AsyncGenerator[None]:
        if not self._later and not self._closing:
            raise self._error
        async with asyncio.TaskGroup() as group:
            if self._later:
                group.create_task(self._fail())
            yield
            if self._closing:
                raise self._error

    async def _fail(self) -> None:
        await self.fail.wait()
        raise self._error


class TestFailures:
    @pytest.mark.parametrize("error", [OSError("the port is taken"), DaebusError("the port is taken")])
    async def test_one_that_does_not_open_stops_the_start_and_is_named(
        self, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = list[str]()
        app = Daebus("shop")
        app.attach(Kept("first", told))
        app.attach(Failing(error))
        with pytest.raises(
            StartupError, match=r"The component Failing \(.*test_component.py:\d+\) could not be"
        ) as one:
            async with running(app):
                pass
        assert "the port is taken" in str(one.value)
        assert told == ["first opened", "first closed"]
        assert ("component failed to open" in caplog.text) == isinstance(error, OSError)

    async def test_one_that_fails_later_is_told_and_the_service_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        app, failing = Daebus("shop"), Failing(OSError("the connection is gone"), later=True)
        app.attach(failing)

        @app.action("echo")
        async def echo(text: str) -> str:
            return text

        async with running(app) as service:
            failing.fail.set()
            await until(lambda: "component failed" in caplog.text)
            assert await service.call(ECHO, "x") == "x"
        assert "the connection is gone" in caplog.text
        assert "service stopped" in caplog.text

    async def test_one_that_fails_at_its_end_keeps_nothing_else_open(self, caplog: pytest.LogCaptureFixture) -> None:
        told = list[str]()
        app = Daebus("shop")
        app.attach(Kept("first", told))
        app.attach(Failing(OSError("it was gone"), closing=True))
        async with running(app):
            pass
        assert told == ["first opened", "first closed"]
        assert "component failed to close" in caplog.text

    async def test_one_that_does_not_close_is_cut_off_and_the_rest_is_stopped(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Stubborn:
            @asynccontextmanager
            async def serving(self, _: ServiceRun) -> AsyncGenerator[None]:
                yield
                await asyncio.Event().wait()

        told = list[str]()
        app = Daebus("shop", settings=Settings(stop_timeout=0))
        app.attach(Kept("first", told))
        app.attach(Stubborn())

        @app.on_stop()
        async def flush() -> None:
            await asyncio.sleep(0.2)  # as long as a few calls over the network
            told.append("flushed")

        @app.on_stop()
        def leave() -> None:
            told.append("left")

        async with asyncio.timeout(30):
            async with running(app):
                pass
        assert told == ["first opened", "first closed", "flushed", "left"]
        (line,) = (line for line in caplog.messages if line.startswith("component did not close in time"))
        for part in ("component='component Stubborn'", "where='tests/app/test_comp", "seconds=1.", "at='tests/"):
            assert part in line
        assert "service did not stop cleanly" in caplog.text

    async def test_after_a_failed_start_those_that_are_open_stop_as_always(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = list[str]()

        class Waiting:
            @asynccontextmanager
            async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(run.stopping.wait())
                    try:
                        yield
                    finally:
                        told.append(f"{run.grace < 30}")  # the one deadline of the stop
                told.append("closed")

        app = Daebus("shop", settings=Settings(stop_timeout=30))
        app.attach(Waiting())
        app.attach(Failing(OSError("no port")))
        with pytest.raises(StartupError, match="no port"):
            async with asyncio.timeout(10), running(app):
                pass
        assert told == ["True", "closed"]
        assert "service stopping" not in caplog.text  # it has not started

    async def test_one_that_takes_long_to_open_is_named_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        go_on = asyncio.Event()

        class Slow:
            @asynccontextmanager
            async def serving(self, _: ServiceRun) -> AsyncGenerator[None]:
                await go_on.wait()
                yield

        async def run() -> None:
            async with running(app, timings=Timings(opening=0.05)):
                pass

        app = Daebus("shop")
        app.attach(Slow())
        task = asyncio.create_task(run())
        await until(lambda: caplog.text.count("component still opening") >= 2)
        assert "component Slow" in caplog.text
        assert "test_component.py" in caplog.text
        go_on.set()
        await task

    async def test_a_start_that_is_cancelled_leaves_none_open(self) -> None:
        opening, closed = asyncio.Event(), list[str]()

        class Slow:
            @asynccontextmanager
            async def serving(self, _: ServiceRun) -> AsyncGenerator[None]:
                try:
                    opening.set()
                    await asyncio.Event().wait()
                    yield
                finally:
                    closed.append("closed")

        app = Daebus("shop")
        app.attach(Slow())

        async def run() -> None:
            async with running(app, redis_url=private_redis_url()):
                pass

        task = asyncio.create_task(run())
        await opening.wait()
        task.cancel()
        await asyncio.wait({task})
        assert closed == ["closed"]


class TestMistakes:
    def test_what_is_no_component_is_refused_where_it_is_attached(self) -> None:
        class Coroutine:
            async def serving(self, run: ServiceRun) -> None: ...

        class Generator:
            async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
                yield

        class WithoutRun:
            @asynccontextmanager
            async def serving(self) -> AsyncGenerator[None]:
                yield

        app = Daebus("shop")
        expected: list[tuple[object, str, str]] = [
            (3, "attach(3)", "it is not a component"),
            (Kept, "attach(Kept)", "it is a class"),
            (DaebusHttp, "attach(DaebusHttp)", "it is a class"),
            (Coroutine(), "attach(Coroutine())", "its serving() does not return an async context manager"),
            (Generator(), "attach(Generator())", "its serving() does not return an async context manager"),
            (WithoutRun(), "attach(WithoutRun())", "its serving() does not take the run"),
        ]
        for wrong, subject, found in expected:
            problem = problem_of(partial(app.attach, cast("Component", wrong)))
            assert (problem.code, problem.subject, problem.found) == ("wrong-component", subject, found)
            assert "test_component.py" in problem.where

    async def test_each_is_attached_once_and_in_time(self) -> None:
        app, kept = Daebus("shop"), Kept("it", [])
        app.attach(kept)
        app.attach(Kept("another of its class", []))
        problem = problem_of(lambda: app.attach(kept))
        assert (problem.code, problem.found) == ("duplicate-component", "it is attached already")
        assert len(problem.notes) == 1
        async with running(app):
            assert problem_of(lambda: app.attach(Kept("late", []))).code == "too-late"

    def test_any_callable_object_that_gives_a_context_manager_will_do(self) -> None:
        class Odd:
            serving = staticmethod(cast("Any", Kept("it", []).serving))

        assert require_component(Odd())


class TestKinds:
    def test_each_decorator_has_a_row_and_each_row_a_part(self) -> None:
        def on_event(_event: str) -> None: ...

        def watch(_running: Running) -> None: ...

        recorder = Recorder("all")
        recorder.action("a")(lambda: None)
        recorder.route("/")(lambda: None)
        recorder.listen("c")(on_event)
        recorder.socket("s")(lambda: None)
        recorder.socket_connect()(lambda: None)
        recorder.socket_join(Room[None]("r"))(lambda: None)
        recorder.socket_disconnect()(lambda: None)
        recorder.background("b", 1)(lambda: None)
        recorder.thread("t")(watch)
        recorder.on_start()(lambda: None)
        recorder.on_stop()(lambda: None)
        assert [kind_of(spec) for spec in recorded(recorder)] == list(KINDS)
        decorators = {name for name in dir(Recorder) if not name.startswith("_") and callable(getattr(Recorder, name))}
        assert {kind.name for kind in KINDS} == decorators - {"socket_register", "name"}
        made = Daebus("app", container=ServiceContainer()).check(may_idle=True)
        parts = {type(part).__name__ for part in parts_of(made)} | {WebServers.__name__}
        assert {kind.part for kind in KINDS} <= parts
