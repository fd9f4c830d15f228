"""``python -m tests.hostile``: hostile inputs for each transport of a real process, and a table of what came of it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from daebus.embedded.engine import join_embedded

from .bus import attack_bus
from .http import attack_http
from .inputs import Hostile
from .target import Tally, Target, victim
from .websocket import attack_websocket

__all__ = ["ATTACKS", "attack", "table"]

ATTACKS: Mapping[str, Callable[[Target, Hostile, int], Awaitable[Tally]]] = {
    "bus": attack_bus,
    "websocket": attack_websocket,
    "http": attack_http,
}


async def attack(transports: Sequence[str], inputs: int, seed: int, log: Path) -> list[Tally]:
    """Attack a fresh process on each of the transports."""
    engine = join_embedded(private=True)
    try:
        tallies: list[Tally] = []
        for name in transports:
            async with victim(engine.url, log.with_suffix(f".{name}")) as target:
                tallies.append(await ATTACKS[name](target, Hostile(seed), inputs))
        return tallies
    finally:
        engine.close()


def table(tallies: Sequence[Tally]) -> str:
    """What came of it, for people."""
    head = (
        "",
        "inputs",
        "crashes",
        "hangs",
        "traces",
        "internal",
        "MB before",
        "MB after",
        "seconds",
        "per s",
    )
    rows = [
        (
            tally.transport,
            f"{tally.inputs:,}",
            *(str(count) for count in (tally.crashes, tally.hangs, tally.leaks, tally.internal)),
            *(f"{size:.1f}" for size in (tally.before, tally.after, tally.seconds)),
            f"{tally.inputs / max(tally.seconds, 0.001):,.0f}",
        )
        for tally in tallies
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join(lines)


def main() -> None:
    """Do what the command line says; exits with 1 where the service did not withstand."""
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="for each transport; default: 20000")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same inputs; default: 1")
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(ATTACKS), help=",".join(ATTACKS))
    parser.add_argument("--log", type=Path, help="where the log of the service goes; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tallies = asyncio.run(attack(options.only, options.inputs, options.seed, options.log or Path(folder) / "log"))
    sys.stdout.write(f"{table(tallies)}\n")
    sys.exit(0 if all(tally.is_clean for tally in tallies) else 1)


if __name__ == "__main__":
    main()
