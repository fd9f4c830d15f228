"""What this process uses: CPU time and memory."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

__all__ = ["cpu_seconds", "memory_bytes"]

_STATM = Path("/proc/self/statm")


def cpu_seconds() -> float:
    """The CPU time of all threads of this process, in seconds."""
    return time.process_time()


def memory_bytes() -> int:
    """The memory of this process that is in RAM, in bytes; on systems without ``/proc``, the most that it was."""
    try:
        pages = int(_STATM.read_bytes().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes
    return pages * os.sysconf("SC_PAGE_SIZE")
