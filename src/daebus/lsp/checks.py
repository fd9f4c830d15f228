"""The checks of the apps of a workspace: when each is checked, and what its last check found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from daebus.checking.snapshot import Snapshot

from .cache import Cache, is_changed
from .options import Options
from .sharing import Sharing
from .starting import FRESH, First, first_job
from .targets import Target
from .texts import Texts
from .worker.messages import Job, Outcome
from .workers import Worker

__all__ = ["App", "Checks"]

_DEBOUNCE = 0.15
_AT_ONCE = 2


class App:
    """An app of the workspace.

    Attributes:
        target: Where it is.
        snapshot: What its last check found; None: it was not checked yet.
        known: The last snapshot that has its wiring, even if the code is broken now; None: there was none.
        failure: Why its last check found nothing; None: it came to an end.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.snapshot: Snapshot | None = None
        self.known: Snapshot | None = None
        self.failure: str | None = None
        self.task: asyncio.Task[None] | None = None

    def concerns(self, path: str) -> bool:
        """Whether a change of a file may change what a check finds."""
        snapshot = self.snapshot
        if snapshot is not None and path in snapshot.modules:
            return True
        # A check in progress may import what the last one did not.
        in_progress = self.task is not None and not self.task.done()
        unfinished = snapshot is None or snapshot.service is None or in_progress
        return unfinished and (path == self.target.source or path.startswith(self.target.root))

    def take(self, outcome: Outcome) -> None:
        """Keep what a check found."""
        self.failure = outcome.failure
        self.snapshot = outcome.snapshot or Snapshot(modules={} if self.snapshot is None else self.snapshot.modules)
        if self.snapshot.service is not None:
            self.known = self.snapshot


class Checks:
    """Checks apps when their files change.

    Args:
        folders: The folders of the workspace.
        texts: The text of the files.
        worker: Does the checks.
        options: The limits of a check.
        cache: The checks of earlier sessions.
        found: Called after the check of an app.
        first: What has begun already.
    """

    def __init__(
        self,
        folders: Sequence[str],
        texts: Texts,
        worker: Worker,
        options: Options,
        cache: Cache,
        found: Callable[[App], None],
        first: First | None = None,
    ) -> None:
        self.apps: list[App] = []
        self._options = options
        self._folders = folders
        self._texts = texts
        self._worker = worker
        self._cache = cache
        self._found = found
        self._first = first
        self._sharing = Sharing()
        self._running = 0
        self._waiting: dict[App, asyncio.Future[None]] = {}

    def replace(self, targets: Iterable[Target]) -> bool:
        """The apps are these from now on; those that are new are checked.

        Returns:
            Whether something else is known than before: apps are gone, or an earlier session has checked new ones.
        """
        wanted = list(targets)
        kept = {app.target: app for app in self.apps}
        gone = [app for target, app in kept.items() if target not in wanted]
        for app in gone:
            self._cancel(app)
        self.apps = [kept.get(target) or App(target) for target in wanted]
        new = [app for app in self.apps if app.target not in kept]
        for app in new:
            earlier = self._cache.read(app.target)
            if earlier is not None:
                app.take(Outcome(0, self._sharing.share(earlier)))
            self._schedule(app, 0)
        return bool(gone) or any(app.known is not None for app in new)

    def touch(self, path: str, *, typing: bool) -> None:
        """A file has changed: check the apps that it concerns; while somebody is typing, after a pause."""
        for app in self.apps:
            if app.concerns(path):
                self._schedule(app, _DEBOUNCE if typing else 0)

    async def settle(self, path: str) -> None:
        """Wait until no check is in progress that concerns a file."""
        while tasks := [app.task for app in self.apps if app.task and not app.task.done() and app.concerns(path)]:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Cancel what is in progress."""
        for app in self.apps:
            self._cancel(app)

    def _schedule(self, app: App, pause: float) -> None:
        self._cancel(app)
        app.task = asyncio.get_running_loop().create_task(self._check(app, pause))

    def _cancel(self, app: App) -> None:
        if app.task is not None:
            app.task.cancel()

    async def _check(self, app: App, pause: float) -> None:
        await asyncio.sleep(pause)
        async with self._turn(app):
            target = app.target
            on_disk = first_job(self._folders, target, self._options)
            job = msgspec.structs.replace(on_disk, buffers=self._texts.buffers())
            began = time.time_ns()
            outcome = await self._begun(on_disk, job)
            if outcome is None:
                outcome = await self._worker.check(job)
        if outcome.snapshot is not None:
            if outcome.snapshot.service is not None and self._is_saved(job.buffers):
                await asyncio.to_thread(self._cache.write, target, outcome.snapshot, began)
            outcome = Outcome(outcome.number, self._sharing.share(outcome.snapshot))
        app.take(outcome)
        self._found(app)

    async def _begun(self, on_disk: Job, job: Job) -> Outcome | None:
        """The outcome of the check that began before the server was loaded, if a new one would find the same."""
        first = self._first
        if first is None or not self._is_saved(job.buffers):
            return None
        outcome = await self._worker.begun(on_disk)
        if outcome is None or outcome.snapshot is None or is_changed(outcome.snapshot, first.began - FRESH):
            return None
        return outcome

    def _is_saved(self, buffers: Mapping[str, str]) -> bool:
        """Whether a check with these buffers was one of the files on disk."""
        return all(self._texts.saved(path) == text for path, text in buffers.items())

    @asynccontextmanager
    async def _turn(self, app: App) -> AsyncGenerator[None]:
        """The turn of an app: few are checked at once, first those whose files are open in the editor."""
        while self._running >= _AT_ONCE:
            turn = self._waiting[app] = asyncio.get_running_loop().create_future()
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it was called, and another app can have the turn
                    self._call_next()
                raise
            finally:
                self._waiting.pop(app, None)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._call_next()

    def _call_next(self) -> None:
        opened = self._texts.buffers().keys()
        waiting = [(app, turn) for app, turn in self._waiting.items() if not turn.done()]
        first = min(
            waiting,
            key=lambda one: (one[0].target.source not in opened, not any(map(one[0].concerns, opened))),
            default=None,
        )
        if first is not None:
            first[1].set_result(None)
