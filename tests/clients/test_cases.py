"""The behaviour of the client with a live service, in node and in a browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.browser.people import open_browser
from tests.clients.node import NODE, running
from tests.processes import Service

_BUNDLE = """
import { stripTypeScriptTypes } from "node:module";
import { globSync, readFileSync, writeFileSync } from "node:fs";
for (const file of globSync("**/*.ts")) writeFileSync(file, stripTypeScriptTypes(readFileSync(file, "utf8")));
"""
_PAGE = """
async (url) => {
  const { cases } = await import("/client/cases.ts");
  const found = {};
  for (const [name, run] of Object.entries(cases)) {
    try { await run(url); found[name] = ""; } catch (error) { found[name] = String(error?.stack ?? error); }
  }
  return found;
}
"""


def failed_cases(folder: Path, name: str, url: str, *, least: int) -> dict[str, str]:
    """What has gone wrong in the cases that a program runs.

    Args:
        folder: The folder of the program.
        name: Its name.
        url: The service.
        least: How many cases it must have.
    """
    found: dict[str, str] = {}
    with running(folder, name, url) as program:
        while (line := program.json()) is not None:
            case, problem = msgspec.convert(line, tuple[str, str])
            found[case] = problem
    assert len(found) >= least
    return {case: problem for case, problem in found.items() if problem}


@pytest.mark.parametrize("program", ["run.ts", "thread.ts"])
def test_the_cases_hold_in_node_and_in_a_thread_of_it(client: Path, service: Service, program: str) -> None:
    assert failed_cases(client, program, service.url, least=20) == {}


@pytest.fixture
def javascript(client: Path, tmp_path: Path) -> Path:
    """The client without its types, as a browser needs it."""
    folder = tmp_path / "client"
    shutil.copytree(client, folder)
    options = ("--input-type=module", "--disable-warning=ExperimentalWarning")
    subprocess.run([NODE, *options, "-e", _BUNDLE], cwd=folder, check=True)
    return folder


async def test_the_cases_hold_in_a_browser(javascript: Path, service: Service) -> None:
    async def serve(route: Any) -> None:
        file = javascript / route.request.url.partition("/client/")[2]
        await route.fulfill(body=file.read_text(), content_type="text/javascript")

    async with open_browser() as browser:
        page = await browser.new_page()
        await page.route(f"{service.url}/client/**", serve)
        # A page of the service itself: its scripts may open WebSockets to it.
        await page.goto(f"{service.url}/slow?seconds=0")
        found: dict[str, str] = await page.evaluate(_PAGE, service.url)
    assert len(found) > 20
    assert {name: problem for name, problem in found.items() if problem} == {}
