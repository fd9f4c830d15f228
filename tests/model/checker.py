"""The model checker: builds the program for one run, runs it, and reads what it found."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import msgspec

__all__ = ["Found", "check", "missing_tools", "read_output", "specification"]

_HERE = Path(__file__).parent
_TOOLS = {"rumur": "apt-get install rumur", "gcc": "apt-get install gcc"}
_RULE = re.compile(r'^Rule "(?P<rule>[^"]+)"(?:, (?P<of>.*))? fired\.$')
_CHANGE = re.compile(r"^[\w.\[\]]+:\S+$")


class Found(msgspec.Struct, frozen=True):
    """What a search has found.

    Attributes:
        problem: The message of the violated property; None: all hold.
        trace: The shortest way to it, one step a line, with what each changed.
        states: How many states were visited.
        seconds: How long the search took, without building it.
    """

    problem: str | None
    trace: list[str]
    states: int
    seconds: float


def missing_tools() -> list[str]:
    """What is missing on this machine, and how to install it."""
    return [f"{tool} ({how})" for tool, how in _TOOLS.items() if shutil.which(tool) is None]


def specification(model: str, constants: Mapping[str, int]) -> str:
    """The text of a model with other constants.

    Raises:
        KeyError: It has no such constant.
    """
    text = (_HERE / f"{model}.m").read_text(encoding="utf-8")
    for name, value in constants.items():
        text, found = re.subn(rf"^(  {name}: )-?\d+;", rf"\g<1>{value};", text, count=1, flags=re.MULTILINE)
        if not found:
            raise KeyError(f"{model}.m has no constant {name}")
    return text


def check(model: str, constants: Mapping[str, int], seconds: float) -> Found:
    """Search all states.

    Args:
        model: The file, without its ending.
        constants: Those that differ.
        seconds: How long the search may take.

    Raises:
        subprocess.TimeoutExpired: It takes longer.
        subprocess.CalledProcessError: The model is malformed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, code, program = (Path(folder) / name for name in (f"{model}.m", f"{model}.c", model))
        source.write_text(specification(model, constants), encoding="utf-8")
        options = ["--threads", "1", "--deadlock-detection", "off", "--colour", "off"]
        subprocess.run(["rumur", *options, "--output", str(code), str(source)], check=True)
        machine = ["-mcx16"] if "x86" in _machine() else []
        subprocess.run(
            ["gcc", "-std=c11", "-O2", "-w", *machine, "-o", str(program), str(code), "-lpthread"], check=True
        )
        began = monotonic()
        done = subprocess.run([str(program)], check=False, capture_output=True, text=True, timeout=seconds)
        return read_output(done.stdout, monotonic() - began)


def _machine() -> str:
    return subprocess.run(["gcc", "-dumpmachine"], check=True, capture_output=True, text=True).stdout


def read_output(output: str, seconds: float) -> Found:
    """What the output of a search says."""
    states = re.search(r"(\d+) states, \d+ rules fired", output)
    if states is None:
        raise RuntimeError(f"the checker did not end:\n{output[-1000:]}")
    problem: str | None = None
    if "No error found" not in output:
        violated = re.search(r"^\s*(?:Assertion failed: \S+ |.*property )(.*?)(?: violated.*)?$", output, re.MULTILINE)
        problem = violated[1].strip().strip('"') if violated else "unknown: the checker names no property"
    return Found(problem, _trace(output), int(states[1]), seconds)


def _trace(output: str) -> list[str]:
    steps: list[str] = []
    changes: list[str] = []
    started = False
    for line in output.splitlines():
        if rule := _RULE.match(line):
            if started:
                steps[-1] += _joined(changes)
            started = True
            steps.append(rule["rule"] + (f" ({rule['of']})" if rule["of"] else ""))
            changes = []
        elif started and _CHANGE.match(line):
            changes.append(line)
    if started:
        steps[-1] += _joined(changes)
    return steps


def _joined(changes: list[str]) -> str:
    return f"  {' '.join(changes)}" if changes else ""
