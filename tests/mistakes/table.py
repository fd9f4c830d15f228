"""``python -m tests.mistakes.table``: write ``docs/mistakes.md`` from the catalogue and the peers' results."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import cast

from daebus import WiringError

from .catalogue import CASES, HOLDOUT, Case, Checker, all_cases, read_case
from .starting import load

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "mistakes.md"
RESULTS = Path(__file__).parent / "peers" / "results.json"
PEERS = {"fastapi": "FastAPI", "faststream": "FastStream", "litestar": "Litestar"}
WHEN = ("type check", "start-up", "first message", "never")
GROUPS = {
    "calls": "Calls, events and messages",
    "handlers": "Handlers",
    "services": "Services right of the `*`",
    "container": "The container",
    "contracts": "Contracts",
    "routes": "Routes",
    "schedules": "Schedules and threads",
    "sockets": "WebSockets",
    "lifecycle": "Apps and blueprints",
}
COLUMNS: Mapping[Checker, str] = {
    "mypy": "mypy",
    "pyright": "pyright, basedpyright",
    "ty": "ty",
    "pyrefly": "pyrefly",
    "zuban": "zuban",
}
RENDERED = ("services/misspelt", "handlers/forgotten_star", "container/captured_session", "contracts/one_type_of_two")

INTRO = """\
# Common mistakes, and when they are reported

`tests/mistakes/cases` contains {count} small programs with a mistake, each with its corrected version. The tests check
this page: each mistake is reported at the stage shown here, at the right line, in the recorded words, and without other
messages; for a corrected program nothing is reported. Every mistake is reported before the first message is handled:
mypy with the plugin `daebus.mypy` reports {mypy} % of them, pyright alone, in strict mode, {pyright} %. `daebus check`
reports those of the stages registration and start-up, without starting anything, and `daebus lsp` shows them in the
editor while you type.

| type checker | without settings | in strict mode |
|---|---:|---:|
{checkers}

"Without settings" means the mode that the checker has if it is not configured; mypy has only its plugin. The strict
modes are `strict` of mypy, pyright, basedpyright and zuban, all rules of ty, and the preset `strict` of pyrefly. Only
mypy loads plugins. For a corrected program none of them reports anything, in either mode.

{held_count} more mistakes, in `tests/mistakes/cases/holdout`, were written down after the checks, as new users make
them, in three rounds of 19, 32 and 65. At first, mypy reported 17, 28 and 55 of them, and pyright in strict mode 11, 23
and 32. `daebus check` reported 18 of 18, 18 of 19 and 56 of 59 mistakes in declarations; the others are in the bodies
of functions, which only type checkers see. mypy now reports {held_mypy}, pyright {held_pyright}, and `daebus check` all
in declarations but two: it does not compare two contracts of one name, and does not know what a built-in function
returns, as in `providers.Callable(time.time)`.

The mistakes of the tables were made with three other frameworks, in the style that their documentation recommends, and
checked with mypy `--strict` (with the plugin of pydantic), pyright in strict mode, the framework's own test client, and
a first message. The command is `nox -s mistakes`; it was last run on {date} with {versions}.
A dash means that the mistake cannot be made there, or is not a mistake there.

| first reported | daebus | {peers} |
|---|---:|---:|---:|---:|
{totals}

In the tables below, ✓ means that a type checker reports the mistake, "strict" that it does so only in strict mode.
pyright and basedpyright report the same errors, so they share a column.

## How a mistake looks

mypy reports a misspelt name:

```text
{mypy_says}
```

`daebus check`, and the start of the service, report this and other mistakes:

```text
{rendered}
```
"""


def page(results: Mapping[str, object]) -> str:
    """The page, with these results of the peers."""
    cases = all_cases()
    peers = cast("dict[str, dict[str, dict[str, str]]]", results["peers"])
    versions = cast("dict[str, str]", results["versions"])
    told = Counter(stage for case in cases for stage in case.stages())
    misspelt = read_case(CASES / "services" / "misspelt.py")
    says = next(mark for mark in misspelt.expected if mark.stage == "mypy")
    held = all_cases(HOLDOUT)
    head = INTRO.format(
        held_count=len(held),
        held_mypy=sum("mypy" in case.stages() for case in held),
        held_pyright=sum("pyright" in case.stages() for case in held),
        count=len(cases),
        mypy=100 * told["mypy"] // len(cases),
        pyright=100 * told["pyright"] // len(cases),
        checkers="\n".join(rates(cases)),
        date=results["date"],
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        peers=" | ".join(PEERS.values()),
        totals="\n".join(totals(cases, peers)),
        mypy_says=f"users.py:{says.line}: error: {says.parts[0]}  [{says.code}]",
        rendered="\n\n".join(rendered(read_case(CASES / f"{name}.py")) for name in RENDERED),
    )
    return head + "".join(section(group, list(own), peers) for group, own in by_group(cases))


def by_group(cases: Sequence[Case]) -> Iterator[tuple[str, Iterator[Case]]]:
    """The cases of each group, in the order of the page."""
    order = list(GROUPS)
    return groupby(sorted(cases, key=lambda case: (order.index(case.group), case.name)), key=lambda case: case.group)


def totals(cases: Sequence[Case], peers: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[str]:
    """The number of mistakes first reported at each stage."""
    columns = [Counter(first(case) for case in cases)]
    columns += [Counter(one["when"] for one in peers[peer].values()) for peer in PEERS]
    for when in WHEN:
        yield f"| {when} | {' | '.join(str(column[when]) for column in columns)} |"
    yield f"| all | {' | '.join(str(column.total()) for column in columns)} |"


def first(case: Case) -> str:
    """The stage at which daebus first reports a mistake; registration counts as start-up."""
    return "type check" if case.stages() & {"mypy", "pyright"} else "start-up"


def rates(cases: Sequence[Case]) -> Iterator[str]:
    """For each type checker the part of the mistakes that it reports."""
    for checker, title in COLUMNS.items():
        told = [sum(checker in case.stages(strict=strict) for case in cases) for strict in (False, True)]
        shown = " | ".join(f"{count} ({100 * count // len(cases)} %)" for count in told)
        yield f"| {title}{' with `daebus.mypy`' if checker == 'mypy' else ''} | {shown} |"


def mark_of(case: Case, checker: Checker) -> str:
    """Whether a type checker reports a mistake, as the tables show it."""
    if checker in case.stages(strict=False):
        return "✓"
    return "strict" if checker in case.stages() else ""


def section(group: str, cases: Sequence[Case], peers: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """The table of a group."""
    lines = [
        "",
        f"## {GROUPS[group]}",
        "",
        f"| mistake | {' | '.join(COLUMNS.values())} | running | {' | '.join(PEERS.values())} |",
        "|---" * (len(COLUMNS) + len(PEERS) + 2) + "|",
    ]
    for case in cases:
        marks = [mark_of(case, checker) for checker in COLUMNS]
        when = next((stage for stage in ("registration", "start-up") if stage in case.stages()), "")
        told = [peers[peer].get(f"{case.group}/{case.name}", {"when": "—"})["when"] for peer in PEERS]
        link = f"[{case.title.removesuffix('.')}](../tests/mistakes/cases/{case.group}/{case.name}.py)"
        lines.append("| " + " | ".join([link, *marks, when, *told]) + " |")
    return "\n".join(lines) + "\n"


def rendered(case: Case) -> str:
    """The messages for a wrong program that cannot be registered, as they are shown."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        Path("users.py").write_text(case.wrong)
        Path("accounts.py").write_text((CASES / "accounts.py").read_text())
        try:
            load(Path(name, "users.py"))
        except WiringError as error:
            return "\n\n".join(str(problem) for problem in error.problems)
    raise AssertionError(f"{case.name} is not refused")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
