"""``python -m tests.hostile.guided DECODER -runs=N``: libFuzzer, led by coverage, on one of the decoders."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Fuzz one decoder; the arguments that follow its name are libFuzzer's. Ends the process."""
    atheris: Any = importlib.import_module("atheris")  # on Linux alone, and only in the session that fuzzes
    with atheris.instrument_imports(include=["daebus", "tests.hostile"]):
        decoders = importlib.import_module("tests.hostile.decoders")
    name, *arguments = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        for number, honest in enumerate(decoders.HONEST):
            (Path(corpus) / str(number)).write_bytes(honest)
        atheris.Setup([sys.argv[0], *arguments, corpus], decoders.DECODERS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
