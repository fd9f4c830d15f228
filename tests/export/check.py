"""Checks the documents of the examples with the official tools: ``python -m tests.export.check FOLDER``.

FOLDER has the packages of npm in ``node_modules``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.processes import DAEBUS, EXAMPLES

_ROOT = EXAMPLES.parent
_APPS = (
    (_ROOT, "tests.export.market:app", "market"),
    (_ROOT, "tests.export.torture:app", "torture"),
    (_ROOT, "tests.openapi.shop:app", "corner_shop"),
    (EXAMPLES / "users", "app:app", "user_service"),
    (EXAMPLES / "chat", "chat.app:app", "chat"),
    (EXAMPLES / "orders", "shop.app:app", "shop"),
    (EXAMPLES / "orders", "warehouse.app:app", "warehouse"),
)


def main() -> int:
    """Write the documents and check them; 1 if one of them is not valid."""
    folder = Path(sys.argv[1])
    asyncapi = [_export("asyncapi", folder, *app) for app in _APPS]
    openapi = [_export("openapi", folder, *app) for app in _APPS if app[2] != "warehouse"]
    parsed = subprocess.run(["node", str(Path(__file__).with_suffix(".mjs")), str(folder), *asyncapi], check=False)
    linter = folder / "node_modules" / ".bin" / "redocly"
    linted = subprocess.run([str(linter), "lint", "--extends=spec", *openapi], check=False)
    return parsed.returncode or linted.returncode


def _export(form: str, folder: Path, where: Path, target: str, service: str) -> str:
    file = str(folder / f"{service}-{form}.json")
    subprocess.run([*DAEBUS, "export", form, target, f"--service={service}", "-o", file], cwd=where, check=True)
    return file


if __name__ == "__main__":
    sys.exit(main())
