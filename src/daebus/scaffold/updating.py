"""What a newer daebus would write, merged into a project by git.

The history of a project has the files as `daebus new` wrote them, as a commit. An update is a commit after that, with
the files as this version writes them, which is merged: git keeps what the user has changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from daebus.errors import ConfigurationError

from .git import Git, GitError
from .rendering import ANSWERS, Answers, render

__all__ = ["update"]


def update(folder: Path, changes: Mapping[str, object]) -> bool:
    """Merge what this version of daebus would write. Returns whether there was anything to merge.

    Args:
        folder: The folder of the project.
        changes: Other answers than those before.

    Raises:
        ConfigurationError: The folder has no project of `daebus new`, it is not committed, or there are conflicts.
    """
    answers = _answers(folder, changes)
    git = Git(folder)
    if not git.is_repository() or (before := git.made()) is None:
        raise ConfigurationError(f"The history of {folder} has no commit of `daebus new`: it cannot be updated.")
    if git.run("status", "--porcelain"):
        raise ConfigurationError(f"{folder} has changes that are not committed: commit them first.")
    with tempfile.TemporaryDirectory() as name:
        files = Path(name, "files")
        render(answers, files)
        made = git.commit_files(files, before)
    if made == before:
        return False
    try:
        git.merge(made)
    except GitError as error:
        raise ConfigurationError(
            "You and daebus have changed the same lines: resolve the conflicts that `git status` lists, and commit; "
            f"or run `git merge --abort`. ({error})"
        ) from error
    return True


def _answers(folder: Path, changes: Mapping[str, object]) -> Answers:
    file = folder / ANSWERS
    try:
        known = msgspec.yaml.decode(file.read_bytes(), type=dict[str, object])
        return msgspec.convert({**known, **changes}, Answers)
    except FileNotFoundError:
        raise ConfigurationError(f"There is no {file}: {folder} was not made by `daebus new`.") from None
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
