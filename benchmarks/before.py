"""daebus as it was at an earlier commit: its wheel and its peer scripts, for a run that compares both."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .environments import PROJECT, Environment, build_environment, build_wheel

__all__ = ["Before", "build_before", "describe_commit", "unpack_commit"]

_PEERS = Path("benchmarks") / "peers"

# What measures, and what is measured with: today's in both, so that nothing but daebus and its script differs.
_SHARED = ("counted_daebus.py", "driving.py", "shapes.py", "web_shapes.py")


@dataclass(frozen=True, slots=True)
class Before:
    """An earlier commit, ready to be measured.

    Attributes:
        commit: Its abbreviated hash, its date and its subject.
        peers: The folder of its peer scripts.
        environments: Its wheel in environments of its own, by the names of those of today.
    """

    commit: str
    peers: Path
    environments: Mapping[str, Environment]


def build_before(cache: Path, commit: str, names: Iterable[str]) -> Before:
    """Unpack a commit below `cache` and build its wheel into environments of its own.

    All libraries are of today's versions (constraints.txt). An environment that cannot be built says why.

    Raises:
        SystemExit: There is no such commit, it has no peer scripts, or no wheel can be built of it.
    """
    source = unpack_commit(PROJECT, commit, cache / "before")
    try:
        wheel = build_wheel(cache, source, source.with_name(f"{source.name}-wheel"))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"--before {commit}: its wheel cannot be built: {error.stderr}") from error
    built = {name: build_environment(cache / f"{name}-before", name, wheel) for name in names}
    return Before(describe_commit(PROJECT, commit), source / _PEERS, built)


def unpack_commit(project: Path, commit: str, cache: Path) -> Path:
    """Unpack a commit of a repository into a folder below `cache`, with today's instruments among its peer scripts.

    Raises:
        SystemExit: There is no such commit, or it has no peer scripts.
    """
    digest = _git(project, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    source = cache / digest[:16]
    if not source.exists():
        shutil.rmtree(cache, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(_git(project, "archive", digest))) as archive:
            archive.extractall(cache / "unpacking", filter="data")
        (cache / "unpacking").rename(source)  # last, so that what has this name is complete
    if not (source / _PEERS / "bus_daebus.py").exists():
        raise SystemExit(f"--before {commit}: that commit has no {_PEERS / 'bus_daebus.py'} to measure it with")
    for name in _SHARED:
        shutil.copy(PROJECT / _PEERS / name, source / _PEERS)
    return source


def describe_commit(project: Path, commit: str) -> str:
    """Its abbreviated hash, its date and its subject."""
    return _git(project, "log", "-1", "--format=%h of %ci, %s", commit).decode().strip()


def _git(project: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], check=False, capture_output=True, cwd=project)
    if done.returncode != 0:
        reason = done.stderr.decode().strip() or "this repository has no such commit"
        raise SystemExit(f"git {' '.join(arguments)}: {reason}")
    return done.stdout
