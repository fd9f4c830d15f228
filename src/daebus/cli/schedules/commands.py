"""``daebus schedules``: shows background tasks and their runs; pauses, resumes, starts and repeats them."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import click
from typing_extensions import override

from daebus.cli.failures import explained
from daebus.cli.fleet.words import age, duration
from daebus.cli.shared import opened, redis_url_option, table, time_of
from daebus.errors import ConfigurationError
from daebus.mistakes.terminal import visible, visible_json
from daebus.operations.schedules import Schedules, services_with_tasks
from daebus.operations.task_reports import RunReport, TaskReport
from daebus.payloads.codec import encode

__all__ = ["schedules"]

F = TypeVar("F", bound=Callable[..., object])

_TASKS = ("TASK", "SCHEDULE", "NEXT", "LAST", "OUTCOME", "TOOK", "MISSED", "STATE")
_RUNS = ("SCHEDULED FOR", "STARTED", "OUTCOME", "TOOK", "BY", "INSTANCE", "REASON")
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"])


class _Schedules(click.Group):
    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        names_command = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if names_command else ["list", *args])


def _task(command: F) -> F:
    return redis_url_option(click.argument("task", metavar="SERVICE/TASK")(command))


def _run(work: Coroutine[object, object, None]) -> None:
    with explained(ConfigurationError):
        asyncio.run(work)


@asynccontextmanager
async def _found(redis_url: str | None, task: str) -> AsyncGenerator[tuple[Schedules, str]]:
    service, slash, name = task.partition("/")
    if not slash or not name:
        raise click.UsageError(f"{task!r} is no SERVICE/TASK: write it as users/cleanup.")
    async with opened(redis_url, service) as node:
        yield Schedules(node, service, _who()), name


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # the user has no name, as in some containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


@click.group(cls=_Schedules)
def schedules() -> None:
    """Show background tasks and their runs, and pause, resume, start or repeat them.

    `daebus schedules [SERVICE]` lists the tasks that the replicas of a service share.
    """


@schedules.command("list")
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each task.")
@redis_url_option
def list_(service: str | None, redis_url: str | None, *, as_json: bool) -> None:
    """Print a line for each task: the schedule, the next run, the last run, missed runs, and whether it is paused."""

    async def show() -> None:
        async with opened(redis_url, service) as node:
            names = await services_with_tasks(node) if service is None else [service]
            tasks = [task for name in names for task in await Schedules(node, name, _who()).all()]
            now = node.clock.now()
        if as_json:
            for task in tasks:
                click.echo(visible_json(encode(task)))
        else:
            click.echo(visible(table([_TASKS, *(_row(task, now) for task in tasks)]), lines=True))

    _run(show())


@schedules.command()
@_task
@click.option("--count", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each run.")
def history(task: str, redis_url: str | None, *, count: int, as_json: bool) -> None:
    """Print the last runs of a task, the newest first."""

    async def show() -> None:
        async with _found(redis_url, task) as (found, name):
            runs = await found.history(name, count)
        if as_json:
            for run in runs:
                click.echo(visible_json(encode(run)))
        else:
            click.echo(visible(table([_RUNS, *map(_line, runs)]), lines=True))

    _run(show())


@schedules.command()
@_task
def pause(task: str, redis_url: str | None) -> None:
    """Pause the schedule of a task. A run in progress continues."""
    _steer(redis_url, task, Schedules.pause, "paused", "was paused already")


@schedules.command()
@_task
def resume(task: str, redis_url: str | None) -> None:
    """Resume the schedule of a task. The times of the pause count as missed."""
    _steer(redis_url, task, Schedules.resume, "resumed", "was not paused")


@schedules.command()
@_task
def trigger(task: str, redis_url: str | None) -> None:
    """Run a task once, as soon as it does not run; also if its schedule is paused."""
    _steer(redis_url, task, Schedules.trigger, "triggered", "")


@schedules.command()
@_task
def forget(task: str, redis_url: str | None) -> None:
    """Delete the state and the history of a task that was removed from its service, or renamed."""
    _steer(redis_url, task, Schedules.forget, "forgotten", "")


@schedules.command()
@_task
@click.option("--from", "start", type=_MOMENT, required=True, help="The first time, in the zone of the task.")
@click.option("--to", "end", type=_MOMENT, required=True, help="The last time, in the zone of the task.")
def backfill(task: str, redis_url: str | None, start: datetime, end: datetime) -> None:
    """Run a task for each time of its cron expression between two times, one after another."""

    async def fill() -> None:
        async with _found(redis_url, task) as (found, name):
            count = await found.backfill(name, start, end)
        click.echo(f"{task}: {count} runs wait", err=True)

    _run(fill())


def _steer(
    redis_url: str | None,
    task: str,
    act: Callable[[Schedules, str], Coroutine[object, object, bool | None]],
    done: str,
    already: str,
) -> None:
    async def steer() -> None:
        async with _found(redis_url, task) as (found, name):
            changed = await act(found, name)
        click.echo(f"{task} {already if changed is False else done}", err=True)

    _run(steer())


def _row(report: TaskReport, now: int) -> tuple[str, ...]:
    last = report.last
    state = "waits" if report.running is None else f"runs on {report.running}"
    if report.paused is not None:
        state = f"paused {age(report.paused, now)} by {report.paused_by}"
    if report.waiting:
        state += f", {report.waiting} asked for"
    return (
        f"{report.service}/{report.task}",
        report.schedule,
        "-" if report.next is None else time_of(report.next),
        "-" if last is None else time_of(last.started),
        "-" if last is None else last.outcome,
        "-" if last is None else duration((last.ended - last.started) / 1000),
        str(report.missed),
        state,
    )


def _line(run: RunReport) -> tuple[str, ...]:
    return (
        time_of(run.scheduled_for),
        time_of(run.started),
        run.outcome,
        duration((run.ended - run.started) / 1000),
        f"{run.by} {run.who}".strip(),
        run.instance,
        run.reason or "-",
    )
