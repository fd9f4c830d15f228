"""``daebus export --diff`` and ``daebus run --expect``: files, targets and commits of git are compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from tests.processes import Outcome, daebus
from tests.project import BROKEN, Project

from daebus import Daebus
from daebus.checking.targets import TargetError
from daebus.cli.comparing import require_expected
from daebus.cli.exporting import export
from daebus.compare.contracts import Call, Contracts
from daebus.compare.shapes import Plain
from daebus.errors import StartupError
from daebus.testing import running

NOWHERE = "redis://127.0.0.1:1"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


FIND = Call(Plain("int"), Plain("str"))


def written(path: Path, *, actions: Mapping[str, Call]) -> Path:
    """A file of contracts."""
    contracts = Contracts(format="daebus-contracts-1", service="shop", actions=actions)
    path.write_bytes(msgspec.json.encode(contracts))
    return path


async def run(project: Project, *arguments: str) -> Outcome:
    return await daebus(*arguments, redis_url=NOWHERE, cwd=project.folder)


async def test_the_code_is_compared_with_a_commit(project: Project) -> None:
    project.change(BROKEN)
    done = await run(project, "export", "--diff", "HEAD:shop.app:app", "shop.app:app")
    assert done.code == 1, done.errors
    assert done.output == (
        "loaded\n"
        "breaking: action find, request.page: it is new and required\n"
        "  why: callers that do not send it are refused\n"
        "  help: give it a default\n"
    )
    assert done.errors == "1 change, 1 of them breaking\n"


async def test_an_app_that_breaks_what_is_expected_does_not_start(project: Project) -> None:
    expected = written(project.folder / "expected.json", actions={"find": FIND, "gone": FIND})
    done = await run(project, "run", "shop.app:app", "--expect", str(expected))
    assert done.code == 1
    assert "shop would break those who have the contracts in" in done.errors
    assert "breaking: action gone: it is removed" in done.errors


def test_files_are_compared(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", actions={"find": FIND})
    new = written(tmp_path / "new.json", actions={"find": FIND, "more": FIND})

    def diff(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(export, ["--diff", *arguments])
        return done.exit_code, done.stdout, done.stderr

    assert diff(str(old), str(old)) == (0, "", "no changes\n")
    assert diff(str(old), str(new)) == (0, "changed: action more: it is new\n", "1 change, none of them breaking\n")
    code, output, errors = diff(str(new), str(old), "--json")
    found: Any = msgspec.json.decode(output)
    assert (code, errors, found["breaking"], len(found["changes"])) == (1, "", True, 1)
    assert found["changes"][0] == {
        "place": "action more",
        "change": "it is removed",
        "is_breaking": True,
        "why": "callers that use it are refused",
        "remedy": "keep it until nobody calls it, and mark it as deprecated",
    }


def test_an_app_that_breaks_nobody_may_start(tmp_path: Path) -> None:
    app = Daebus("shop")
    require_expected(app.check(may_idle=True), str(written(tmp_path / "none.json", actions={})))
    with pytest.raises(StartupError, match="action find: it is removed"):
        require_expected(app.check(may_idle=True), str(written(tmp_path / "old.json", actions={"find": FIND})))


async def test_an_app_that_breaks_a_commit_does_not_start(project: Project) -> None:
    project.change(BROKEN)
    done = await run(project, "run", "shop.app:app", "--expect", "HEAD:shop.app:app")
    assert done.code == 1
    assert "shop would break those who have the contracts in HEAD:shop.app:app:\n" in done.errors
    assert "breaking: action find, request.page: it is new and required" in done.errors


async def test_an_app_that_breaks_the_instances_that_run_does_not_start(daebus_redis_url: str) -> None:
    old, new = Daebus("shop"), Daebus("shop")

    @old.action("find")
    async def find(query: str) -> str:
        return query

    async with running(old):
        with pytest.raises(StartupError, match="action find: it is removed"):
            await asyncio.to_thread(
                require_expected, new.check(may_idle=True), "service://shop", redis_url=daebus_redis_url
            )


async def test_an_app_starts_if_no_instance_runs(daebus_redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = Daebus("shop").check(may_idle=True)
    await asyncio.to_thread(require_expected, made, "service://shop", redis_url=daebus_redis_url)
    told = "Starts without a comparison: The contracts of the running service 'shop' cannot be read: "
    assert capsys.readouterr().err == f"{told}No instance of 'shop' answers.\n"


@pytest.mark.parametrize("expected", ["none.json", "shop.app:app", "shop/app.py"])
def test_what_is_expected_must_be_a_file_or_named(expected: str) -> None:
    with pytest.raises(TargetError, match=f"There is no file of contracts {expected}: write one with"):
        require_expected(Daebus("shop").check(may_idle=True), expected)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--diff", "a.app:app", "b.app:app", "-o", "x"), "leave out FORMAT, TARGET and -o"),
        (("--diff", "a.app:app", "b.app:app", "openapi"), "leave out FORMAT, TARGET and -o"),
        (("contracts", "a.app:app", "--json"), "--json is for --diff."),
        (("contracts",), "name a FORMAT and a TARGET, or --diff OLD NEW."),
    ],
)
def test_wrong_options_are_refused(arguments: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(export, arguments)
    assert (done.exit_code, says in done.output) == (2, True)
