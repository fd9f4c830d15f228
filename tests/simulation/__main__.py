"""``python -m tests.simulation --seed 4711``: run seeds, and print those that break a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time

from .trial import FAULTS, Result, search, server_path, try_all, try_seed

_CHUNK = 50
_CHUNKS = 20  # for one process: what hosts that were killed had in hand stays in memory, about 0.2 MB a seed


def main() -> int:
    """Run one seed, or many; 1 if one of them breaks a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="only this one, with everything that happened")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=1, help="how many processes, each with a server of its own")
    parser.add_argument("--search", type=float, help="stop at the first bad seed, or after so many s of processor time")
    parser.add_argument("--faults", default="", help=f"only these kinds, separated by commas: {', '.join(FAULTS)}")
    parser.add_argument("--traces", action="store_true", help="print a digest of the course of each seed")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is a part of the course of events
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    only = tuple(options.faults.split(",")) if options.faults else ()
    if options.seed is not None:
        return _one(options.seed, only)
    if options.search is not None:
        return _search(options, only)
    return _many(options)


def _one(seed: int, only: tuple[str, ...]) -> int:
    result = try_seed(seed, server_path(), verbose=True, only=only)
    about = ["faults:", *result.faults, "problems:", *result.problems, f"trace: {result.trace}"]
    sys.stdout.write("\n".join([*result.lines, *about, ""]))
    return bool(result.problems)


def _search(options: argparse.Namespace, only: tuple[str, ...]) -> int:
    begun = time.process_time()
    count, found = search(range(options.first, options.first + options.count), options.search, only)
    if found is not None:
        _tell(found)
    sys.stdout.write(f"{count} seeds, {time.process_time() - begun:.1f} s of processor time\n")
    return found is not None


def _many(options: argparse.Namespace) -> int:
    begun, failed, done = time.monotonic(), 0, 0
    chunks = [range(at, min(at + _CHUNK, options.first + options.count)) for at in _starts(options)]
    with multiprocessing.get_context("spawn").Pool(options.jobs, maxtasksperchild=_CHUNKS) as pool:
        tried = pool.imap(try_all, chunks)
        for chunk, results in tried:
            done += len(chunk)
            for result in results:
                if result.problems:
                    failed += 1
                    _tell(result)
                if options.traces:
                    sys.stdout.write(f"seed {result.seed} trace: {result.trace}\n")
            if done % 1000 == 0:
                sys.stdout.write(f"{done} seeds, {failed} failed, {time.monotonic() - begun:.0f} s\n")
            sys.stdout.flush()
    sys.stdout.write(f"{done} seeds, {failed} failed, {time.monotonic() - begun:.0f} s\n")
    return bool(failed)


def _tell(result: Result) -> None:
    sys.stdout.write(f"seed {result.seed}: {result.problems[0]}  ({', '.join(result.faults)})\n")


def _starts(options: argparse.Namespace) -> range:
    return range(options.first, options.first + options.count, _CHUNK)


if __name__ == "__main__":
    sys.exit(main())
