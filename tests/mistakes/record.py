"""``python -m tests.mistakes.record [NAME...]``: write into the cases what is told about them now, to be read.

It is how a new case gets its marks, and how the cases follow when messages are reworded.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from .catalogue import CASES, CHECKERS, HOLDOUT, MARK, Case, Checker, Told, all_cases, write_cases
from .checkers import Run, run_all
from .starting import check_runtime

# Places and numbers of lines, which differ from run to run, or as soon as a mark is added.
_PASSING = re.compile(r"\s*\(?/\S+|,? in line \d+|\bat 0x\w+|wrong_\w+")


# The texts of these change with every version, and say nothing of ours.
_WITHOUT_TEXT = ("ty", "pyrefly", "zuban")
# basedpyright says what pyright says.
_MARKED: list[Checker] = [checker for checker in CHECKERS if checker != "basedpyright"]


def told_of(cases: Iterable[Case], folder: Path) -> dict[str, list[tuple[str, Told]]]:
    """What each stage tells about the wrong programs, by the name of the module."""
    found: dict[str, list[tuple[str, Told]]] = defaultdict(list)
    by_default = run_all(Run(folder, strict=False), _MARKED)
    for checker, by_module in run_all(Run(folder), _MARKED).items():
        for module, told in by_module.items():
            lines = {one.line for one in by_default[checker].get(module, [])}
            found[module] += [(checker if one.line in lines else f"{checker} strict", one) for one in told]
    for case in cases:
        module = case.module("wrong")
        stage, told = asyncio.run(check_runtime(folder / f"{module}.py"))
        found[module] += [(stage, one) for one in told]
    return found


def mark(path: Path, told: Iterable[tuple[str, Told]]) -> None:
    """Write marks above the lines of a case, instead of those that it has."""
    marks: dict[int, list[str]] = defaultdict(list)
    for stage, one in told:
        text = one.text.split("\n")[0].replace("\xa0", " ")
        parts = " && ".join(part.strip() for part in _PASSING.split(text) if part.strip())
        has_text = stage.split()[0] not in _WITHOUT_TEXT
        marks[one.line].append(f"# ! {stage} {one.code}" + f": {parts}" * has_text)
    lines: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if MARK.match(line) is None:
            indent = " " * (len(line) - len(line.lstrip()))
            lines += [*(indent + one for one in sorted(marks[number])), line]
    path.write_text("\n".join([*lines, *marks[0]]) + "\n")


def main(names: Sequence[str]) -> None:
    """Record the cases of these names, or all."""
    logging.disable()
    cases = [case for folder in (CASES, HOLDOUT) for case in all_cases(folder) if not names or case.name in names]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cases(cases, folder)
        shutil.copy(CASES / "accounts.py", folder)
        found = told_of(cases, folder)
    for case in cases:
        mark(case.path, found[case.module("wrong")])


if __name__ == "__main__":
    main(sys.argv[1:])
