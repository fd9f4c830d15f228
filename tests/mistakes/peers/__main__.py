"""Ask the peers when they tell the mistakes of the catalogue: see ``nox -s mistakes``.

Runs in an environment with FastAPI, FastStream, Litestar, mypy and basedpyright, and needs nothing of daebus. The
programs are written as those of ``cases/``; ``SEND`` is the first message, an HTTP request, or a Redis channel and
what is published on it, or ``first_message()`` sends it. Each right twin must pass everywhere. What is found goes to
``results.json``, with the versions and the day.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from tests.mistakes.catalogue import Case, Twin, all_cases, write_cases
from tests.mistakes.checkers import Run, run_all

HERE = Path(__file__).parent
# With the plugin that its documentation recommends for mypy.
PLUGINS = {"fastapi": "pydantic.mypy", "faststream": "pydantic.mypy", "litestar": ""}
TOOLS = ("fastapi", "pydantic", "faststream", "litestar", "mypy", "basedpyright")

Told = tuple[str, str]


def load(path: Path) -> ModuleType:
    """Import a program."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def ask_web(module: ModuleType, peer: str) -> Told | None:
    """Start a web app and send it a request, by its own test client."""
    client_module = importlib.import_module(f"{peer}.testclient" if peer == "fastapi" else f"{peer}.testing")
    client = client_module.TestClient(module.app)
    try:
        client.__enter__()
    except Exception as error:
        return "start-up", repr(error)
    try:
        if hasattr(module, "first_message"):
            return asyncio.run(module.first_message())
        method, path, *body = module.SEND.split(" ", 2)
        response = client.request(method, path, json=json.loads(body[0]) if body else None)
        return None if response.is_success else ("first message", f"{response.status_code}: {response.text}")
    except Exception as error:
        return "first message", repr(error)
    finally:
        client.__exit__(None, None, None)


def ask_broker(module: ModuleType, peer: str) -> Told | None:
    """Start a broker in memory and send it a message, by its own test broker."""
    testing = importlib.import_module(f"{peer}.redis")

    async def ask() -> Told | None:
        started = False
        try:
            async with testing.TestRedisBroker(module.broker) as broker:
                started = True
                if hasattr(module, "first_message"):
                    await module.first_message()
                else:
                    channel, body = module.SEND.split(" ", 1)
                    await broker.publish(json.loads(body), channel)
        except Exception as error:
            return "first message" if started else "start-up", repr(error)
        return None

    return asyncio.run(ask())


ASK: dict[str, Callable[[ModuleType, str], Told | None]] = {
    "fastapi": ask_web,
    "litestar": ask_web,
    "faststream": ask_broker,
}


def run(peer: str, path: Path) -> Told | None:
    """When a program is told of while it runs, and how."""
    try:
        module = load(path)
    except Exception as error:
        return "start-up", repr(error)
    return ASK[peer](module, peer)


def ask(peer: str) -> dict[str, dict[str, str]]:
    """When a peer tells each mistake, and how."""
    cases = all_cases(HERE / peer)
    results: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cases(cases, folder)
        shutil.copy(HERE / peer / "accounts.py", folder)
        checked = run_all(Run(folder, plugin=PLUGINS[peer]), ("mypy", "pyright"))
        sys.path.insert(0, name)

        def told(case: Case, twin: Twin) -> Told:
            module = case.module(twin)
            for checker, by_module in checked.items():
                if by_module.get(module):
                    return "type check", f"{checker}: {by_module[module][0].text}"
            return run(peer, folder / f"{module}.py") or ("never", "")

        for case in cases:
            when, how = told(case, "right")
            assert when == "never", f"The right {peer}/{case.group}/{case.name} is told of: {when}: {how}"
            when, how = told(case, "wrong")
            results[f"{case.group}/{case.name}"] = {"when": when, "how": how.replace(name, "").split("\n")[0][:200]}
        sys.path.remove(name)
        sys.modules.pop("accounts", None)
    return results


def main() -> None:
    """Ask all peers, and write down what they told."""
    logging.disable()
    warnings.simplefilter("ignore")
    found: dict[str, object] = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {tool: version(tool) for tool in TOOLS},
    }
    # The programs print.
    with contextlib.redirect_stdout(io.StringIO()):
        found["peers"] = {peer: ask(peer) for peer in PLUGINS}
    (HERE / "results.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
