"""``python -m tests.hostile.confined DESCRIPTORS CGROUP COMMAND...``: few descriptors, little memory."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

__all__ = ["confining_group"]

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


def confining_group(name: str, size: int) -> Path | None:
    """A new control group with so many bytes of memory; None: this user, or this system, cannot have one."""
    for root, limit in ((_V1, "memory.limit_in_bytes"), (_V2, "memory.max")):
        group = root / name
        try:
            group.mkdir()
            (group / limit).write_text(str(size))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        return group
    return None


def main() -> None:
    """Confine this process, and become the command."""
    descriptors, group, *command = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
    if group:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    os.execvp(command[0], command)  # without a shell


if __name__ == "__main__":
    main()
