"""The first files of a project, and its first commit."""

from __future__ import annotations

import shutil
from pathlib import Path

from daebus.errors import ConfigurationError

from .git import Git
from .rendering import Answers, render

__all__ = ["create"]


def create(answers: Answers, folder: Path) -> bool:
    """Write a new project. Returns whether it is a git repository of its own, with the files as its first commit.

    It is not if there is no git, or if the folder is in a repository already. Then it cannot be updated later.

    Args:
        answers: What it is to have.
        folder: Where it is to be. It must be empty, or not be there.

    Raises:
        ConfigurationError: There are other files in the folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is not empty: choose another name, or an empty folder.")
    render(answers, folder)
    if shutil.which("git") is None or Git(folder).is_repository():
        return False
    git = Git(folder)
    git.run("init", "--quiet", "--initial-branch", "main")
    git.run("update-ref", "HEAD", git.commit_files(folder))
    git.run("reset", "--quiet")
    return True
