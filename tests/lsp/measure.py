"""How fast the language server is: ``python -m tests.lsp.measure``, on examples/users and on a made project.

The made project has 20 services with 100 handlers each, which share contracts.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click
from lsprotocol import types
from tests.lsp.editor import Editor, editing
from tests.processes import EXAMPLES
from tests.support import until

SERVICES, HANDLERS, ROUNDS = 20, 100, 20

APP = """\
from dependency_injector import providers
from daebus import Blueprint, Bus, Daebus, ServiceContainer
import contracts

class Repo: ...

class Container(ServiceContainer):
    repo = providers.Singleton(Repo)

handlers = Blueprint("handlers", services=Container)
"""
HANDLER = """
@handlers.action(contracts.ACTION_{service}_{number})
async def action_{number}(query: contracts.Query, *, repo: Repo, bus: Bus) -> str:
    return await bus.call(contracts.ACTION_{other}_{number}, query)
"""


def make_project(folder: Path) -> None:
    """Write the made project."""
    contracts = ["import msgspec", "from daebus import Action", "", "class Query(msgspec.Struct):", "    id: str", ""]
    for service in range(SERVICES):
        name = f"service_{service}"
        contracts += [
            f'ACTION_{service}_{number} = Action[Query, str]("action_{number}", service="{name}")'
            for number in range(HANDLERS)
        ]
        text = APP + "".join(
            HANDLER.format(service=service, number=number, other=(service + 1) % SERVICES) for number in range(HANDLERS)
        )
        text += f'\napp = Daebus("{name}", container=Container())\napp.register_blueprint(handlers)\n'
        (folder / f"{name}.py").write_text(text)
    (folder / "contracts.py").write_text("\n".join(contracts) + "\n")


def megabytes(pid: int) -> float:
    """The memory of a process and of those that it has started, without what they share."""
    total = 0.0
    for each in (pid, *(int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1024
    return total


def used(pid: int) -> float:
    """The seconds of the processor that a process and those that it has started have used, or had used at their end."""
    total = 0.0
    for each in (pid, *(int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return total


class Times:
    """How long something takes, in seconds, and how much of that the processor works for the server."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.used = 0.0

    async def take(self, act: Callable[[], Awaitable[object]]) -> None:
        """Do it."""
        pid = server_pid()
        start, before = time.perf_counter(), used(pid)
        await act()
        self.seconds.append(time.perf_counter() - start)
        self.used += used(pid) - before


def row(name: str, seconds: Sequence[float], worked: float | None = None) -> None:
    """Print the median and the 95th percentile, and how much of it the processor worked: all that counts under load."""
    p95 = statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    work = (used(server_pid()) if worked is None else worked / len(seconds)) * 1000
    times = f"p50 {statistics.median(seconds) * 1000:8.1f} ms   p95 {p95 * 1000:8.1f} ms"
    click.echo(f"  {name:28} {times}   processor {work:8.1f} ms")


async def measure(folder: Path, name: str, handler: str, service: str) -> None:
    """Measure in one file, in which a handler has a service."""
    with tempfile.TemporaryDirectory() as cache:
        await first_session(folder, Path(cache), name, handler, service)
        start = time.perf_counter()
        async with editing(folder, cache=Path(cache)) as editor:
            editor.open(name)
            await until(lambda: has_lenses(editor, name), 120, 0.01)
            row("first code lens, again", [time.perf_counter() - start])


async def first_session(folder: Path, cache: Path, name: str, handler: str, service: str) -> None:
    """The session of an editor that knows nothing of the workspace."""
    start = time.perf_counter()
    async with editing(folder, cache=cache) as editor:
        row("initialized", [time.perf_counter() - start])
        editor.open(name)
        await until(lambda: has_lenses(editor, name), 120, 0.05)
        row("first code lens", [time.perf_counter() - start])
        await until(lambda: quiet(editor), 120)
        row("all apps checked", [time.perf_counter() - start])
        await requests(editor, name, handler, service)
        saved = Times()
        for _ in range(ROUNDS):
            await saved.take(lambda: save(editor, name, handler, f"{handler}x"))
        row("save to diagnostics", saved.seconds, saved.used)
        click.echo(f"  memory {megabytes(server_pid()):.0f} MB")


def server_pid() -> int:
    """The process of the server, a child of this one."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return int(children[-1])


async def has_lenses(editor: Editor, name: str) -> bool:
    """Whether the server knows the file."""
    return bool(await editor.client.text_document_code_lens_async(types.CodeLensParams(editor.at(name))))


async def quiet(editor: Editor) -> bool:
    """Whether the number of symbols does not grow any more: all apps were checked."""
    counts: list[int] = []
    for _ in range(2):
        last = f"action_{HANDLERS - 1}" if (editor.folder / "contracts.py").exists() else ""
        counts.append(len(await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams(last)) or ()))
        await asyncio.sleep(1)
    return counts[0] == counts[1] > 0


async def requests(editor: Editor, name: str, handler: str, service: str) -> None:
    """Measure the requests that must not be felt, after an edit each."""
    where = editor.at(name), editor.find(name, service)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "completion": lambda: editor.client.text_document_completion_async(types.CompletionParams(*where)),
        "hover": lambda: editor.client.text_document_hover_async(types.HoverParams(*where)),
        "definition": lambda: editor.client.text_document_definition_async(types.DefinitionParams(*where)),
    }
    for title, ask in asked.items():
        times = Times()
        for number in range(ROUNDS):
            editor.type(name, f"{editor.text(name)}\n# {handler} {number}\n")
            await editor.client.workspace_symbol_async(types.WorkspaceSymbolParams("no such symbol"))
            await times.take(ask)
        row(title, times.seconds, times.used)


async def save(editor: Editor, name: str, right: str, wrong: str) -> None:
    """Save a mistake, and wait until it is shown; then correct it."""
    shown = bool(editor.diagnostics(name))
    text = editor.text(name)
    editor.type(name, text.replace(wrong, right, 1) if shown else text.replace(right, wrong, 1))
    editor.save(name)
    await until(lambda: bool(editor.diagnostics(name)) is not shown, 60)


async def main() -> None:
    """Measure both projects."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a server would compile all modules at each start
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "users")
        await asyncio.to_thread(shutil.copytree, EXAMPLES / "users", target)
        click.echo("examples/users")
        await measure(target, "user_service/blueprints/users.py", "*, repo: UserRepo", "*, re|po: UserRepo")
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder))
        click.echo(f"{SERVICES} services x {HANDLERS} handlers")
        await measure(Path(folder), "service_7.py", "*, repo: Repo", "*, re|po: Repo")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
