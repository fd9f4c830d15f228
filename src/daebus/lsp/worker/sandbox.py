"""The sandbox of one check: a process of its own, with limits, without a terminal."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["enter"]

# After its time is over, the nursery ends the process. If the nursery itself was killed, this does.
_SPARE_SECONDS = 5.0
# The editor's requests go first.
_NICENESS = 5


def enter(seconds: float, megabytes: int) -> None:
    """Limit this process, which was forked for one check.

    It leads a group of its own, so that the processes that it starts end with it. What it prints goes nowhere. It has a
    lower priority than the editor.

    Args:
        seconds: After this time, and some spare time, it ends by itself.
        megabytes: The limit of what it may allocate.
    """
    os.setsid()
    os.nice(_NICENESS)
    silence = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    os.close(silence)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + _SPARE_SECONDS)
    _limit_memory(megabytes)


def _limit_memory(megabytes: int) -> None:
    import resource  # noqa: PLC0415  # not on Windows

    limit = megabytes * 2**20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
