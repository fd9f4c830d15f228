"""``daebus run`` and ``daebus check``."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from typing import get_args

import click
import msgspec

from daebus.app.running.listening import Listening
from daebus.app.running.runner import run as run_process
from daebus.app.running.web import Served
from daebus.app.settings import stop_seconds
from daebus.checking.deployment import find_unsafe
from daebus.checking.description import describe
from daebus.checking.examination import examine
from daebus.checking.report import report_on
from daebus.checking.targets import TargetError, load_target, target_file
from daebus.declare.deferring import deferring
from daebus.embedded.place import project_folder
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import wants_colour
from daebus.payloads.codec import encode
from daebus.process.children import Started, Tether
from daebus.process.loop import Loop
from daebus.process.supervisor import Supervisor
from daebus.process.watchdog import hung_seconds

from .failures import explained
from .overview import overview
from .shared import redis_url_option

__all__ = ["check", "run"]


class _Options(msgspec.Struct, frozen=True):
    """The options of ``daebus run``."""

    target: str
    service: str | None
    redis_url: str | None
    host: str | None
    port: int | None
    health_port: int | None
    loop: Loop | None
    expect: str | None
    workers: int
    reload: bool
    tether: int | None
    share_port: bool

    def child_arguments(self) -> list[str]:
        """The command line of a child process with the same options."""
        given = {
            "service": self.service,
            "redis-url": self.redis_url,
            "host": self.host,
            "port": self.port,
            "health-port": self.health_port,
            "loop": self.loop,
            "expect": self.expect,
        }
        return ["run", self.target, *(f"--{name}={value}" for name, value in given.items() if value is not None)]


@click.command()
@click.argument("target")
@click.option("--service", help="Name of the service; default: the one that the app sets.")
@redis_url_option
@click.option("--host", help="Address to listen on, such as 0.0.0.0; default: DAEBUS_HOST, else that of DaebusHttp.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default: that of DaebusHttp; 0: any free port.")
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Port of its own for /health/live and /health/ready; default: DAEBUS_HEALTH_PORT, else the port for HTTP.",
)
@click.option(
    "--loop", type=click.Choice(get_args(Loop)), help="Event loop; default: uvloop if it is installed, else asyncio."
)
@click.option(
    "--expect",
    metavar="CONTRACTS",
    help="Refuse to start if it breaks those who have these contracts: a file of them, REF:TARGET in git, or "
    'service://NAME, a service that runs; see "export --diff".',
)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Number of worker processes.")
@click.option("--reload", is_flag=True, help="For development: restart when a Python file of the project changes.")
@click.option("--tether", type=int, hidden=True)
@click.option("--share-port", is_flag=True, hidden=True)
def run(**given: object) -> None:
    """Run the service TARGET until SIGTERM or Ctrl-C.

    TARGET is module:app or path/to/file.py:app; app is an app, or a function that makes one. Without a name it is
    "app", else the only app in the module.
    """
    options = msgspec.convert(given, _Options)
    if options.reload and options.workers > 1:
        raise click.UsageError("--reload is for development, with one process: leave out --workers.")
    if options.health_port == 0 and options.workers > 1:
        raise click.UsageError("--workers share one --health-port: name it, as 0 is any free port for each of them.")
    with explained(TargetError):
        if options.reload:
            sys.exit(_reload(options))
        if options.workers > 1:
            sys.exit(asyncio.run(Supervisor(options.child_arguments(), options.workers).run()))
        _serve(options)


def _reload(options: _Options) -> int:
    from daebus.process.reloader import Reloader  # noqa: PLC0415  # only here the watcher is needed

    return asyncio.run(Reloader(options.child_arguments(), _folders(options.target)).run())


def _folders(target: str) -> list[Path]:
    """The folder of the project, and that of the target's file if it is elsewhere."""
    folders = [project_folder()]
    file = target_file(target)
    if file is not None and not file.is_relative_to(folders[0]):
        folders.append(file.parent)
    return folders


def _serve(options: _Options) -> None:
    # First of all, so that this process ends with its parent even while the app is being loaded.
    tether = None if options.tether is None else Tether(options.tether)
    with deferring():
        made = load_target(options.target).check(options.service)
    if options.expect is not None:
        from .comparing import require_expected  # noqa: PLC0415  # only here contracts are compared

        require_expected(made, options.expect, options.service, options.redis_url)

    def report(tether: Tether, served: Served) -> None:
        port, settings = served.ports.get("http", served.ports.get("websocket")), made.settings
        tether.report(Started(made.service, port, stop_seconds(settings), hung_seconds(settings.hung_after)))

    run_process(
        lambda: made,
        redis_url=options.redis_url,
        listening=Listening(options.host, options.port, options.health_port, options.share_port),
        loop=options.loop,
        report=None if tether is None else partial(report, tether),
        then_exits=True,
    )


class _CheckOptions(msgspec.Struct, frozen=True):
    """The options of ``daebus check``."""

    target: str
    service: str | None
    as_json: bool
    watch: bool
    fix: bool
    diff: bool
    deploy: bool


@click.command()
@click.argument("target")
@click.option("--service", help="Name of the service; default: the one that the app sets.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the mistakes, or the wiring, as JSON on stdout, for tools."
)
@click.option("--watch", is_flag=True, help="Check again after each change of a Python file of the project.")
@click.option("--fix", is_flag=True, help="First correct the mistakes whose help leaves no choice, in the files.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing, also with --fix.")
@click.option("--deploy", is_flag=True, help="Also list what is unsafe in production, here in this environment.")
def check(**given: object) -> None:
    """Check the wiring of TARGET, and show it.

    All handlers are compiled, but nothing is started. TARGET is written as for "run". The exit code is 1 if there are
    mistakes, and with --deploy, if anything is unsafe.
    """
    options = msgspec.convert(given, _CheckOptions)
    if options.watch and (options.fix or options.diff):
        raise click.UsageError("--watch corrects nothing: leave out --fix and --diff.")
    if options.deploy and (options.watch or options.diff):
        raise click.UsageError("--deploy is for a single check: leave out --watch and --diff.")
    if options.as_json and (options.watch or options.diff):
        raise click.UsageError("--json prints one check: leave out --watch and --diff.")
    with explained(TargetError):
        if options.watch:
            _watch(options)
        elif options.diff:
            _show_fixes(options)
        else:
            if options.fix:
                _fix(options)
            _check(options)


def _watch(options: _CheckOptions) -> None:
    from .watching import watch  # noqa: PLC0415  # only here the watcher is needed

    service = [] if options.service is None else [f"--service={options.service}"]
    asyncio.run(watch(["check", options.target, *service], _folders(options.target)))


def _show_fixes(options: _CheckOptions) -> None:
    from .correcting import show_fixes  # noqa: PLC0415  # `daebus run` corrects nothing

    sys.exit(1 if show_fixes(options.target, options.service, _folders(options.target)) else 0)


def _fix(options: _CheckOptions) -> None:
    from .correcting import fix  # noqa: PLC0415  # likewise

    fix(options.target, options.service, _folders(options.target))


def _check(options: _CheckOptions) -> None:
    examined = examine(options.target, options.service)
    unsafe: list[WiringProblem] = []
    if options.deploy and examined.made is not None and not examined.problems:
        unsafe = find_unsafe(examined.made, os.environ)
    if options.as_json and not isinstance(examined.failure, TargetError):
        report = report_on(examined, unsafe)
        click.echo(encode(report))
        sys.exit(0 if report.ok and not unsafe else 1)
    made = examined.require()
    for warning in (*made.warnings, *unsafe):
        click.echo(warning.render(colour=wants_colour(sys.stderr), word="warning") + "\n", err=True)
    click.echo(overview(describe(made), boxes=sys.stdout.isatty()))
    if unsafe:
        several = f"{len(unsafe)} settings are" if len(unsafe) > 1 else "1 setting is"
        click.echo(f"{several} unsafe in production.", err=True)
        sys.exit(1)
