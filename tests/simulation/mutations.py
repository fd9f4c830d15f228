"""Mutations: each takes one mend out of a copy of daebus, and the simulation, or a round of faults, must find it.

``python -m tests.simulation.mutations`` tries all, ``--only gap,keys`` some of them. It prints a table.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

__all__ = ["MUTATIONS", "Mutation", "mutated", "searched"]

_ROOT = Path(__file__).parents[2]
_SOURCE = _ROOT / "src" / "daebus"
_SECONDS = 60.0


class Mutation(msgspec.Struct, frozen=True):
    """A mend that is taken out.

    Attributes:
        mend: What it ensures.
        file: Where it stands, in the folder of daebus.
        before: Its text, which the file has once.
        after: What stands there without it.
        faults: The kinds of faults of the simulation that show it; of a round of ``nox -s chaos`` if it has `rounds`.
        rounds: Whether it needs real processes.
    """

    mend: str
    file: str
    before: str
    after: str
    faults: tuple[str, ...]
    rounds: bool = False


MUTATIONS: Mapping[str, Mutation] = {
    "confirmation": Mutation(
        "after a lapse, an entry is confirmed before it is settled",
        "queues/settler.py",
        "if confirmed is None and (tenure is None or one.entry.tenure != tenure):",
        "if confirmed is None and one.entry.is_lost:",
        ("freeze", "partition"),
    ),
    "gap": Mutation(
        "where nobody has sent a heartbeat for half a lease, nothing is taken over",
        "queues/lease_scripts.py",
        "if passed > own / 2 then redis.call('ZADD', registry, now + own, name) end",
        "",
        ("clock", "hang"),
    ),
    "looks": Mutation(
        "a dead instance is looked at twice, after a pause each",
        "queues/takeover.py",
        "        for _ in range(_LOOKS if new else 1):\n            if new:\n",
        "        for _ in range(1):\n            if not names:\n",
        ("stutter",),
    ),
    "own lease": Mutation(
        "each owner is judged by its own lease",
        "connection/scripts.py",
        "return tonumber(string.match(name, '%-(%d+)$') or default)",
        "return tonumber(default)",
        ("orphan",),
    ),
    "owner": Mutation(
        "an entry is confirmed only to the delivery that has it",
        "queues/lease_scripts.py",
        "return #found == 1 and found[1][4] == tonumber(deliveries)",
        "return true",
        ("freeze",),
    ),
    "owner of a key": Mutation(
        "only the owner of an entry stores the outcome for its key",
        "queues/idempotency.py",
        "if not mine or (run[3] or me) ~= me then return {'lost'} end",
        "",
        ("freeze",),
    ),
    "owner of a retry": Mutation(
        "only the owner of an entry schedules a retry or writes a dead letter",
        "queues/retries.py",
        '_IF_MINE = f"{IS_MINE} if KEYS[2] and {_MINE} == false then return 0 end"',
        "_IF_MINE = IS_MINE",
        ("partition",),
    ),
    "undelivered": Mutation(
        "entries whose delivery broke are taken up again",
        "queues/undelivered.py",
        "return self._loop.time() >= self._due",
        "return self._loop.time() < 0",
        ("cut", "stall"),
    ),
    "numbers": Mutation(
        "the items of a stream are numbered",
        "bus/inbox.py",
        "if reply.number != self._taken:",
        "if reply.number == 0:",
        ("kill", "freeze", "stop"),
    ),
    "number of the end": Mutation(
        "the end of a stream is numbered, too",
        "queues/work.py",
        "if self.items is not None and status == SUCCESS:",
        "if self.items == -1:",
        ("stall", "cut"),
    ),
    "hung loop": Mutation(
        "an event loop that hangs sends no heartbeats",
        "process/hangs.py",
        "        self._heartbeat.is_paused = True  # first, as the log may be blocked too\n",
        "",
        ("loop",),
    ),
    "one suspect": Mutation(
        "suspects run one at a time",
        "queues/lease_scripts.py",
        "if ARGV[5] ~= '1' or #taken >= room or claim(p) then break end",
        "if #taken < room then claim(p) end",
        ("slow",),
    ),
    "two deliveries": Mutation(
        "a call is delivered twice at most",
        "queues/suspects.py",
        "MAX_CALL_DELIVERIES = 2",
        "MAX_CALL_DELIVERIES = 5",
        ("slow",),
    ),
    "retries": Mutation(
        "what fails is retried",
        "queues/retries.py",
        "if not is_passing(problem) or failures > origin.policy.retries:",
        "if failures > 0:",
        ("slow",),
    ),
    "others serve": Mutation(
        "no call is refused with NoSuchService while an instance serves",
        "discovery/presence.py",
        "if #others == 0 then",
        "if #others >= 0 then",
        ("stop",),
    ),
    "schedule": Mutation(
        "the runs of a background task do not overlap",
        "tasks/records.py",
        "local held = owner and owner ~= me and not (expires <= now and expires == watched)",
        "local held = false",
        ("slow",),
    ),
    "renamed listener": Mutation(
        "a renamed listener continues where the old one was",
        "channels/groups.py",
        "if not group then group, how = group_of(ARGV[i + 2]), 'renamed' end",
        "",
        ("renamings",),
        rounds=True,
    ),
}


@contextmanager
def mutated(mutation: Mutation | None) -> Generator[Mapping[str, str]]:
    """The environment for programs that import a copy of daebus without a mend; None: a true copy."""
    with tempfile.TemporaryDirectory(prefix="daebus-mutation-") as folder:
        package = Path(folder) / "daebus"
        shutil.copytree(_SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            path = package / mutation.file
            text = path.read_text(encoding="utf-8")
            if text.count(mutation.before) != 1:
                raise AssertionError(f"{mutation.file} does not have this once: {mutation.before}")
            path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
        yield {**os.environ, "PYTHONPATH": folder, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def searched(mutation: Mutation, environment: Mapping[str, str], seconds: float, *more: str) -> tuple[bool, str]:
    """Whether a search finds something wrong with the daebus of an environment, and what it printed."""
    faults = ",".join(mutation.faults)
    if mutation.rounds:
        options = ["tests.chaos", "--only", faults, "--seconds", "8"]
    else:
        options = ["tests.simulation", "--search", str(seconds), "--faults", faults, *more]
    command = [sys.executable, "-W", "ignore", "-m", *options]
    done = subprocess.run(command, cwd=_ROOT, env=dict(environment), capture_output=True, text=True, check=False)
    return done.returncode != 0, done.stdout or done.stderr


def main() -> int:
    """Try the mutations; 1 if one of them is not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="for how long each is searched for")
    options = parser.parse_args()
    missed = 0
    sys.stdout.write("| mend | found by | after |\n|---|---|---:|\n")
    for name in options.only.split(",") if options.only else MUTATIONS:
        mutation = MUTATIONS[name]
        begun = time.perf_counter()
        with mutated(mutation) as environment:
            found, told = searched(mutation, environment, options.seconds)
        missed += not found
        seed = re.search(r"^seed (\d+)", told, re.MULTILINE)
        how = "nox -s chaos" if mutation.rounds else "simulation" + (f", seed {seed[1]}" if seed else "")
        after = f"{time.perf_counter() - begun:.0f} s"
        by = f"{how}, {', '.join(mutation.faults)}" if found else "**not found**"
        sys.stdout.write(f"| {mutation.mend} | {by} | {after} |\n")
        sys.stdout.flush()
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
