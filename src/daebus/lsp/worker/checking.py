"""One check, in the process that was forked for it: the app is imported, examined and described."""

from __future__ import annotations

import os
import sys

from daebus.checking.examination import Examined, examine
from daebus.checking.report import report_on
from daebus.errors import StartupError

from .collecting import collect
from .messages import Job, Snapshot
from .sandbox import lay_over

__all__ = ["check"]


def check(job: Job) -> Snapshot:
    """The result of a check; this process can be used for nothing else afterwards."""
    os.chdir(job.root)
    sys.argv = [job.target]
    lay_over(job.buffers)
    examined = _examine(job)
    return collect(examined, report_on(examined), job.folders)


def _examine(job: Job) -> Examined:
    try:
        try:
            return examine(job.target, job.service)
        except (SystemExit, KeyboardInterrupt) as error:
            raise StartupError(f"The import of {job.target} ends the process: {error!r}") from error
    except StartupError as failure:
        return Examined(None, (), failure)
