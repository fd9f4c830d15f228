"""Where contracts come from: a file, the code, the code of a commit of git, or a service that runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from daebus.compare.changes import Change
from daebus.compare.comparing import compare
from daebus.compare.contracts import Contracts
from daebus.errors import StartupError
from daebus.export.described import describe
from daebus.protocol.discovery import WHOLE

from .examination import examine
from .running_service import SCHEME, exported_by
from .targets import TargetError

__all__ = ["find_breaking", "foreign_modules", "read_contracts"]

_PACKAGE = Path(__file__).parents[1]
_NONE_OF_IT = "write one with `daebus export contracts TARGET -o FILE`"


def read_contracts(source: str, service: str | None, redis_url: str | None = None) -> Contracts:
    """The contracts of a source.

    Args:
        source: The path of a file of contracts; a target, as for ``daebus run``; ``REF:TARGET``, the target in a
            commit, a branch or a tag of git, which has the name of its app, as in ``main:shop.app:app``; or
            ``service://NAME``, a service that runs.
        service: The name of the service; None: that of the app.
        redis_url: The server of a service that runs; see `exported_by`.

    Raises:
        TargetError: There is no such file, commit or target, or no such service runs.
        StartupError: The code of the commit cannot be loaded.
        WiringError: The app has mistakes.
    """
    if source.startswith(SCHEME):
        return _decoded(exported_by(source.removeprefix(SCHEME), "contracts", redis_url).get(WHOLE, b""), source)
    path = Path(source)
    if path.is_file() and path.suffix != ".py":
        return _read_file(path)
    if source.endswith(".json"):
        raise TargetError(f"There is no file {source}: {_NONE_OF_IT}.")
    if source.count(":") > 1:
        reference, _, target = source.partition(":")
        return _of_commit(reference, target, service)
    try:
        return describe(examine(source, service).require())
    except TargetError as error:
        reference, colon, _ = source.partition(":")
        if colon and _is_commit(reference):
            raise TargetError(f"{error} A target in a commit has three parts, {reference}:module:app.") from error
        raise


def _read_file(path: Path) -> Contracts:
    """The contracts in a file. Raises `TargetError`."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}.") from error
    return _decoded(body, f"{path}")


def _decoded(body: bytes, source: str) -> Contracts:
    try:
        return msgspec.json.decode(body, type=Contracts)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise TargetError(f"{source} is no file of contracts: {_NONE_OF_IT} ({error}).") from error


def find_breaking(expected: str, contracts: Contracts, service: str | None, redis_url: str | None) -> list[Change]:
    """The changes that break those who have the contracts of a source.

    Args:
        expected: The source, as for `read_contracts`, but not a target in the present code.
        contracts: The contracts of the app.
        service: The name of the service; None: that of the app.
        redis_url: The server of a service that runs.

    Raises:
        TargetError: See `read_contracts`. `NotAnsweringError`, if no instance of the service runs.
        StartupError: The code of the commit cannot be loaded.
    """
    is_named = expected.startswith(SCHEME) or expected.count(":") > 1
    if not is_named and (not Path(expected).is_file() or expected.endswith(".py")):
        raise TargetError(f"There is no file of contracts {expected}: {_NONE_OF_IT}.")
    return [change for change in compare(read_contracts(expected, service, redis_url), contracts) if change.is_breaking]


def foreign_modules(folder: Path) -> list[str]:
    """The modules of the user's code that were loaded from a folder, without installed packages and daebus."""
    found: list[str] = []
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or os.devnull)
        is_installed = "site-packages" in file.parts or file.is_relative_to(_PACKAGE)
        if file.is_relative_to(folder) and not is_installed:
            found.append(name)
    return found


def _of_commit(reference: str, target: str, service: str | None) -> Contracts:
    root = Path(_git("rev-parse", "--show-toplevel").decode().strip())
    _git("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}", what=f"There is no {reference!r} in git")
    with tempfile.TemporaryDirectory(prefix="daebus-") as name:
        folder = Path(name).resolve()
        archived = _git("-C", str(root), "archive", "--format=tar", reference)
        with tarfile.open(fileobj=io.BytesIO(archived)) as files:
            files.extractall(folder, filter="data")
        where = folder / Path.cwd().relative_to(root)
        if not where.is_dir():
            raise TargetError(f"There is no folder {Path.cwd().relative_to(root)} in {reference}.")
        made = folder / "contracts.json"  # the code may print something
        given = [f"--output={made}", f"--without={root}", *([] if service is None else [f"--service={service}"])]
        command = [sys.executable, "-m", "daebus", "export", "contracts", target, *given]
        paths = os.pathsep.join(map(str, _moved(root, folder)))
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=where, env=environment, capture_output=True, check=False)  # noqa: S603
        if done.returncode != 0:
            text = done.stderr.decode(errors="replace").strip()
            raise StartupError(f"The contracts of {target} in {reference} cannot be read:\n{text}")
        return _read_file(made)


def _moved(root: Path, folder: Path) -> Iterator[Path]:
    """The folders of the project from which modules are imported, in a copy of it; not that of daebus itself."""
    for entry in map(Path, sys.path):
        if entry.is_absolute() and entry.is_relative_to(root) and not (entry / "daebus").is_dir():
            moved = folder / entry.relative_to(root)
            if moved.is_dir():
                yield moved


def _is_commit(reference: str) -> bool:
    try:
        _git("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    except TargetError:
        return False
    return True


def _git(*arguments: str, what: str = "git failed") -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError as error:
        raise TargetError("REF:TARGET needs git, which is not installed.") from error
    if done.returncode != 0:
        raise TargetError(f"{what}. {done.stderr.decode(errors='replace').strip()}".strip())
    return done.stdout
