"""The behaviour of the client with a live service, in node, in a browser, and in threads of both."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from tests.browser.people import open_browser
from tests.clients.node import NODE, running
from tests.processes import Service
from typing_extensions import override

_BUNDLE = """
import { stripTypeScriptTypes } from "node:module";
import { globSync, readFileSync, writeFileSync } from "node:fs";
for (const file of globSync("**/*.ts")) writeFileSync(file, stripTypeScriptTypes(readFileSync(file, "utf8")));
"""
_RUN = """
const found = {};
for (const [name, run] of Object.entries(cases)) {
  try { await run(url); found[name] = ""; } catch (error) { found[name] = String(error?.stack ?? error); }
}
"""
_PAGE = f"""
async ([url, files]) => {{
  const {{ cases }} = await import(`${{files}}/cases.ts`);
  {_RUN}
  return found;
}}
"""
_IN_WORKER = f"{_RUN} postMessage(found);"
_WORKER = """
([url, files, code]) => new Promise((resolve, reject) => {
  // Of the origin of the page: its modules may come from elsewhere, a worker itself may not.
  const source = `import { cases } from "${files}/cases.ts"; const url = "${url}"; ${code}`;
  const blob = new Blob([source], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(blob), { type: "module" });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    if (event.message?.includes("expected: ")) event.preventDefault();
    else reject(new Error(event.message ?? "the worker does not load"));
  };
})
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


class _Files(SimpleHTTPRequestHandler):
    """Sends modules to pages of any origin."""

    extensions_map = {".ts": "text/javascript"}  # noqa: RUF012  # as in the class above it

    @override
    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def files(javascript: Path) -> Generator[str]:
    """The URL of a server of the client: what a test answers in place of a server, a worker does not get."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(javascript))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("program", "given"), [(_PAGE, []), (_WORKER, [_IN_WORKER])], ids=["page", "worker"])
async def test_the_cases_hold_in_a_browser(files: str, service: Service, program: str, given: list[str]) -> None:
    async with open_browser() as browser:
        page = await browser.new_page()
        # A page of the service itself: its scripts may open WebSockets to it.
        await page.goto(f"{service.url}/slow?seconds=0")
        found: dict[str, str] = await page.evaluate(program, [service.url, files, *given])
    assert len(found) > 20
    assert {name: problem for name, problem in found.items() if problem} == {}
