"""What registration and the start say of programs."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import cast

from tests.support import raw_redis

from daebus import Daebus, WiringError
from daebus.app.running.web import Web
from daebus.errors import DaebusError
from daebus.testing import private_redis_url, running

from .catalogue import Stage, Told

__all__ = ["check_runtime", "load"]


async def check_runtime(path: Path) -> tuple[Stage, list[Told]]:
    """Import a program and, if that goes well, start its app. Returns the stage that it came to, and its mistakes."""
    try:
        module = load(path)
    except Exception as error:
        return "registration", _told(error, path)
    app = cast("Daebus | None", getattr(module, "app", None))
    if app is None:
        return "registration", []
    sys.modules[path.stem] = module
    try:
        Web(app.check())
        async with raw_redis(private_redis_url()) as redis:
            await redis.flushall()  # the programs have services and channels of the same names
        async with running(app):
            return "start-up", []
    except Exception as error:
        return "start-up", _told(error, path)
    finally:
        del sys.modules[path.stem]


def load(path: Path) -> ModuleType:
    """Import a program, which may import its neighbour `accounts`, and leave nothing behind in `sys.modules`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(path.parent))
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
        for name in (path.stem, "accounts"):
            sys.modules.pop(name, None)
    return module


def _told(error: Exception, path: Path) -> list[Told]:
    if isinstance(error, WiringError):
        return [
            Told(problem.line or 0, problem.code, f"{problem.message}; {problem.remedy}") for problem in error.problems
        ]
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    name = "configuration" if isinstance(error, DaebusError) else type(error).__name__
    return [Told(lines[-1] if lines else 0, name, str(error))]
