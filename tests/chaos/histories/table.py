"""Rounds as rows of the table of ``nox -s chaos``, and the command that plays one again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from tests.chaos.faults import Report

from .nemesis import FAULTS
from .rounds import Round, Setup, play
from .rules import KINDS
from .samples import Growth

__all__ = ["Options", "history", "options_of", "seconds_of", "soak"]

_SOAK_EVERY = 8.0
_MOST_GROWTH = 1.2
_SLACK, _SLACK_BYTES = 12, 8_000_000
"""Descriptors of connections that come and go; bytes of the replies that are kept for keys."""


class Options(msgspec.Struct, frozen=True):
    """What the command line says of rounds.

    Attributes:
        seed: Chooses the operations, and the faults and their order.
        seconds: For how long there is load.
        replicas: How many there are.
        kept: The folder for the histories in which something was found.
        topology: On which servers.
        kinds: The kinds of operations.
    """

    seed: int
    seconds: float
    replicas: int
    kept: Path
    topology: str = "single"
    kinds: tuple[str, ...] = KINDS

    def again(self, *more: str) -> str:
        """The command that does the same again."""
        load = () if self.kinds == KINDS else ("--load", ",".join(self.kinds))
        numbers = ("--seed", f"{self.seed}", "--replicas", f"{self.replicas}", "--topology", self.topology)
        return " ".join(("nox -s chaos --", *more, *numbers, *load))


def options_of(given: argparse.Namespace) -> Options:
    """What the command line says of rounds."""
    return Options(given.seed, given.seconds, given.replicas, given.kept, given.topology, tuple(given.load.split(",")))


async def history(folder: Path, *, options: Options, kind: str) -> Report:
    """One kind of fault, again and again, under mixed load; the history is checked."""
    setup = Setup(
        seed=options.seed,
        faults=(kind,),
        kinds=options.kinds,
        replicas=options.replicas,
        topology=options.topology,
        seconds=options.seconds,
    )
    keep = options.kept / f"{kind}-{options.seed}"
    played = await play(folder, setup, keep)
    if played.findings:
        _tell(played, options, keep)
    return _row(played, kind)


async def soak(folder: Path, *, options: Options) -> Report:
    """All kinds of faults, one each 8 s, under mixed load; what the processes and the servers use must not grow."""
    setup = Setup(
        seed=options.seed,
        faults=tuple(FAULTS),
        kinds=options.kinds,
        replicas=options.replicas,
        topology=options.topology,
        seconds=options.seconds,
        every=_SOAK_EVERY,
    )
    keep = options.kept / f"soak-{options.topology}-{options.seed}"
    played = await play(folder, setup, keep)
    if played.findings:
        _tell(played, options, keep)
    row, grown = _row(played, "soak"), played.growth
    sizes = f"memory x {grown.memory}, descriptors +{grown.descriptors} {grown.kinds}, server x {grown.server}"
    row.more += f"; {sizes} (+{grown.server_bytes} bytes); keys by their ends: {played.keyed}; {played.injected}"
    row.left += _grows(grown)
    return row


def _grows(grown: Growth) -> int:
    """How many of the sizes are not flat."""
    too_large = grown.server > _MOST_GROWTH and grown.server_bytes > _SLACK_BYTES
    return sum((grown.memory > _MOST_GROWTH, grown.descriptors > _SLACK, too_large))


def seconds_of(text: str) -> float:
    """A duration on the command line: ``30m``, ``90s`` or ``90``."""
    units = {"s": 1, "m": 60, "h": 3600}
    return float(text.rstrip("smh")) * units.get(text[-1], 1)


def _row(played: Round, kind: str) -> Report:
    lost = sum(finding.rule == "lost" for finding in played.findings)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(played.operations.items()))
    return Report(
        f"history: {kind}, {played.setup.topology}, {played.setup.replicas} replicas",
        sum(played.injected.values()),
        sum(played.operations.values()),
        lost,
        played.repeated,
        sum(finding.rule == "repeats" for finding in played.findings),
        played.stall,
        len(played.findings) - lost,
        f"; {outcomes}",
    )


def _tell(played: Round, options: Options, keep: Path) -> None:
    again = options.again("--only", ",".join(played.setup.faults), "--seconds", f"{options.seconds:g}")
    keep.mkdir(parents=True, exist_ok=True)
    (keep / "round.json").write_bytes(msgspec.json.format(msgspec.json.encode(played)))
    lines = [f"{finding.rule}: {finding.subject}: {finding.text}" for finding in played.findings[:20]]
    sys.stdout.write("\n".join([*lines, f"the history: {keep}", f"again: {again}", ""]))
