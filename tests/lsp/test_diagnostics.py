"""Diagnostics: the mistakes of ``daebus check`` in the editor, whatever the user's code does when it is imported."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from lsprotocol import types
from tests.lsp.editor import editing
from tests.support import until

APP = """\
from dependency_injector import providers
from daebus import Blueprint, Daebus, ServiceContainer

class Repo: ...

class Container(ServiceContainer):
    repo = providers.Singleton(Repo)

users = Blueprint("users")

@users.action("get")
async def get(user_id: str, *, repo: Repo) -> str: ...

app = Daebus("shop", container=Container())
app.register_blueprint(users)
"""
WRONG = APP.replace("*, repo", "*, reppo")


async def test_mistakes_are_shown_as_they_are_typed_and_saved(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP.replace("*, repo: Repo", "*, reppo: Repo"))
    async with editing(tmp_path) as editor:
        await editor.until_codes("app.py", "unknown-service")
        (shown,) = editor.diagnostics("app.py")
        assert editor.piece("app.py", shown.range) == "reppo: Repo"
        assert (shown.severity, shown.source) == (types.DiagnosticSeverity.Error, "daebus")
        assert shown.message == "get(reppo: Repo): Container has no provider 'reppo'\nhelp: did you mean 'repo'?"

        editor.open("app.py")
        editor.type("app.py", APP)  # the file itself is still wrong
        await editor.until_codes("app.py")
        editor.replace("app.py", "user_id: str, *, repo", "𠮷: str, repo")
        await editor.until_codes("app.py", "forgotten-star")
        (shown,) = editor.diagnostics("app.py")
        # the editor counts in UTF-16
        assert (shown.range.start.character, shown.range.end.character) == (len("async def get(AA: str, "), 33)
        assert shown.related_information is not None
        assert shown.related_information[0].location.range.start.line == 6
        editor.replace("app.py", "𠮷: str, repo", "user_id: str, *, repo")
        editor.save("app.py")
        await editor.until_codes("app.py")
        editor.type("app.py", WRONG)
        await editor.until_codes("app.py", "unknown-service")
        editor.close("app.py")  # without saving
        await editor.until_codes("app.py")
        editor.open("app.py", WRONG)  # as an editor that was restarted
        await editor.until_codes("app.py", "unknown-service")


async def test_code_that_breaks_hangs_exits_or_prints_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "pyproject.toml").write_text('[tool.daebus]\napp = "app:app"\n')
    async with editing(tmp_path, seconds=2.0, megabytes=1024) as editor:
        editor.open("app.py")
        for broken, code, said in (
            ("raise ValueError('no')", "start-up", "ValueError: no"),
            ("import nothing_of_this_name", "start-up", "No module named"),
            ("app = (", "start-up", "SyntaxError: '(' was never closed"),
            ("import sys; sys.exit(3)", "start-up", "SystemExit(3)"),
            ("import os; os._exit(3)", "not-checked", "exit code 3"),
            ("import os; os.kill(os.getpid(), 11)", "not-checked", "SIGSEGV"),
            ("while True: pass", "not-checked", "longer than 2 s"),
            ("big = bytearray(2**31)", "start-up", "MemoryError"),
            ("def deep(): deep()\ndeep()", "start-up", "RecursionError"),
        ):
            editor.type("app.py", f"{APP}{broken}\n")
            shown = await editor.until_message("app.py", said)
            assert shown.code == code
            if code == "start-up":
                assert editor.piece("app.py", shown.range) in broken
        harmless = 'import os, threading, time\nprint("Content-Length: 3"); os.write(1, b"x"); input\n'
        harmless += "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        harmless += "if os.fork() == 0: time.sleep(600)\n"
        editor.type("app.py", f"{APP.replace('repo: Repo', 'reppo: Repo')}{harmless}")
        await editor.until_codes("app.py", "unknown-service")
        editor.type("app.py", f"{APP}{harmless}")
        await editor.until_codes("app.py")


async def test_what_was_started_at_the_import_ends_and_so_does_the_worker(tmp_path: Path) -> None:
    started = tmp_path / "pid"
    text = f"import subprocess\nopen({str(started)!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\n{APP}"
    (tmp_path / "app.py").write_text(text.replace("repo: Repo", "reppo: Repo"))
    async with editing(tmp_path) as editor:
        await editor.until_codes("app.py", "unknown-service")
        await until(lambda: not is_running(int(started.read_text())))
        server = children(os.getpid())[-1]
        (worker,) = children(server)
        os.kill(server, signal.SIGKILL)  # as an editor may do
        await until(lambda: not is_running(worker) and editor.client.stopped)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process runs, rather than waiting for somebody to notice its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("named", [True, False])
async def test_each_app_of_the_workspace_is_checked(tmp_path: Path, *, named: bool) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_app.py").write_text(APP.replace("repo: Repo", "reppo: Repo"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "helpers.py").write_text(APP.replace("repo: Repo", "reppo: Repo"))
    if named:
        (tmp_path / "pyproject.toml").write_text('[tool.daebus]\napp = ["one/one_app.py:app", "two.two_app:app"]\n')
    async with editing(tmp_path) as editor:
        await editor.until_codes("one/one_app.py", "unknown-service")
        await editor.until_codes("two/two_app.py", "unknown-service")
        assert editor.codes("tests/helpers.py") == []
        (tmp_path / "one" / "one_app.py").write_text(APP)
        change = types.FileEvent(editor.uri("one/one_app.py"), types.FileChangeType.Changed)
        editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
        await editor.until_codes("one/one_app.py")
        assert editor.codes("two/two_app.py") == ["unknown-service"]
