"""``python -m tests.hostile.documented``: schemathesis on the OpenAPI that a real process publishes."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from daebus.embedded.engine import join_embedded

from .target import victim

__all__ = ["main"]


async def _test(arguments: list[str]) -> int:
    engine = join_embedded(private=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with victim(engine.url, Path(folder) / "log") as target:
                schema = f"http://127.0.0.1:{target.port}/schema/openapi.json"
                command = Path(sys.executable).with_name("schemathesis")
                process = await asyncio.create_subprocess_exec(command, "run", schema, *arguments, cwd=folder)
                return await process.wait()
    finally:
        engine.close()


def main() -> None:
    """Run it; the arguments are schemathesis's."""
    sys.exit(asyncio.run(_test(sys.argv[1:])))


if __name__ == "__main__":
    main()
