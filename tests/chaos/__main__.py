"""``nox -s chaos``: breaks daebus on purpose, and prints what was lost. The same seed breaks the same things."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
from tests.chaos import faults
from tests.chaos.faults import Report
from tests.chaos.histories import table
from tests.chaos.histories.nemesis import FAULTS
from tests.chaos.histories.rules import KINDS
from tests.chaos.histories.servers import FAKETIME, TOPOLOGIES
from tests.chaos.rolling import roll
from tests.chaos.streaming import cut, stop

_PEERS = {"faststream": "faststream", "taskiq": "buses"}

Fault = Callable[[Path], Awaitable[Report]]


def main() -> int:
    """Run all faults, or those that were named; 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="nox -s chaos --")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each fault lasts")
    parser.add_argument("--messages", type=int, default=100_000, help="how many messages flow where nothing breaks")
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--replicas", type=int, default=3, help="of the rounds whose history is checked")
    parser.add_argument("--soak", type=table.seconds_of, help="only a soak with all of them, for so long: 30m")
    parser.add_argument("--topology", default="single", choices=TOPOLOGIES, help="of these rounds")
    parser.add_argument("--load", default=",".join(KINDS), help="the kinds of operations in these rounds")
    parser.add_argument("--kept", type=Path, default=Path("chaos-kept"), help="where histories with findings are put")
    parser.add_argument("--peers", type=Path, help="where the environments of the peers lie; default: no peers")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    if options.soak:
        options.seconds, options.only = options.soak, "soak"
    if not FAKETIME.exists():
        sys.stdout.write("the clock of the server is not set: there is no libfaketime (apt-get install faketime)\n")
    chosen = _faults(options)
    names = options.only.split(",") if options.only else list(chosen)
    reports = [asyncio.run(_run(chosen[name])) for name in names]
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(reports)))
    return any(report.lost or report.left for report, ours in zip(reports, names, strict=True) if ours not in _PEERS)


def _faults(options: argparse.Namespace) -> dict[str, Fault]:
    seed, seconds = options.seed, options.seconds
    chosen: dict[str, Fault] = {
        "kills": partial(faults.kills, seed=seed, seconds=seconds),
        "freezes": partial(faults.freezes, seed=seed, seconds=seconds),
        "hangs": partial(faults.hangs, seed=seed, seconds=seconds),
        "restarts": partial(faults.restarts, seed=seed, seconds=seconds),
        "renamings": partial(faults.renamings, seed=seed, seconds=seconds),
        "rolling": partial(_rolling, seed=seed),
        "cuts": partial(_cuts, seed=seed),
        "stops": _stops,
        "flow": partial(faults.flow, messages=options.messages),
    }
    if options.soak:
        return {"soak": partial(table.soak, options=table.options_of(options))}
    for kind in FAULTS:
        chosen[kind] = partial(table.history, options=table.options_of(options), kind=kind)
    if options.peers is not None:
        from benchmarks.environments import build_environments  # noqa: PLC0415  # only here, as it builds them

        environments = build_environments(options.peers, _PEERS.values())
        for peer, name in _PEERS.items():
            python = environments[name].python
            chosen[peer] = partial(faults.peer_kills, seed=seed, seconds=seconds, peer=peer, python=python)
    return chosen


async def _run(fault: Fault) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        report = await fault(Path(folder))
    sys.stdout.write(f"{_row(report)}\n")
    sys.stdout.flush()
    return report


async def _rolling(folder: Path, *, seed: int) -> Report:
    rolled = await roll(folder, seed=seed, rounds=2)
    asked = rolled.answered + rolled.requests + rolled.echoes
    more = f"; {asked} calls, streams, requests and WebSocket messages answered, failed: {rolled.failed or 'none'}"
    lost = rolled.lost + len(rolled.failed)
    return Report(
        "SIGTERM of each replica", rolled.replaced, rolled.messages, lost, rolled.repeated, None, 0.0, 0, more
    )


async def _cuts(folder: Path, *, seed: int) -> Report:
    found = await cut(folder, seed=seed, streams=500)
    lost = found.sessions + found.generators
    left = found.tasks + found.descriptors
    more = f"; {lost} sessions and generators stayed open, {left} tasks and descriptors"
    return Report("clients leave their streams", found.streams, found.streams, lost, 0, None, 0.0, left, more)


async def _stops(folder: Path) -> Report:
    found = await stop(folder, streams=200)
    lost = found.sessions + found.generators + found.cut + abs(found.code)
    more = f"; stopped after {found.seconds:.1f} s"
    return Report(
        "SIGTERM under open event streams", found.streams, found.streams, lost, 0, None, found.seconds, 0, more
    )


def _row(report: Report) -> str:
    unexplained = "" if report.unexplained is None else f" ({report.unexplained} unexplained)"
    return (
        f"{report.fault:40} injected {report.injected:4}  messages {report.messages:8,}  lost {report.lost:4}  "
        f"repeated {report.repeated:5}{unexplained}  longest stall {report.stall:6.2f} s  "
        f"left {report.left}{report.more}"
    )


sys.exit(main())
