"""``python -m tests.simulation --seed 4711``: run seeds, and print those that fail."""

from __future__ import annotations

import argparse
import gc
import sys
import time

from daebus.testing import private_redis_url

from .trial import try_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="only this one, with its whole trace")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    path = private_redis_url().removeprefix("unix://").partition("?")[0]
    if options.seed is not None:
        result = try_seed(options.seed, path, verbose=True)
        print("\n".join(result.lines))
        print("faults:", *result.faults, "problems:", *result.problems, result.trace, sep="\n  ")
        return bool(result.problems)
    failed = 0
    gc.collect()
    gc.freeze()
    begun = time.monotonic()
    for seed in range(options.first, options.first + options.count):
        result = try_seed(seed, path)
        if result.problems:
            failed += 1
            print(f"seed {seed}: {result.problems[0]}  ({', '.join(result.faults)})", flush=True)
    print(f"{options.count} seeds, {failed} failed, {time.monotonic() - begun:.1f} s")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
