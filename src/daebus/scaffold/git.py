"""The git repository of a project."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from daebus.errors import ConfigurationError

__all__ = ["Git", "GitError"]

_TRAILER = "Made-by: daebus new"


class GitError(ConfigurationError):
    """A command of git has failed."""


class Git:
    """The repository in a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *command: str, index: Path | None = None, tree: Path | None = None) -> str:
        """Run a command, and return what it prints.

        Args:
            command: The command and its arguments.
            index: The index to use; None: that of the repository.
            tree: The work tree; None: the folder.

        Raises:
            GitError: It has failed.
        """
        own, tree = self._folder.resolve() / ".git", None if tree is None else tree.resolve()
        where = () if tree is None else ("--git-dir", str(own), "--work-tree", str(tree))
        environment = os.environ if index is None else {**os.environ, "GIT_INDEX_FILE": str(index)}
        done = subprocess.run(  # noqa: S603  # no shell
            [shutil.which("git") or "git", *where, *command],
            cwd=tree or self._folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise GitError(f"git has failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout.strip()

    def is_repository(self) -> bool:
        """Whether the folder is in a repository."""
        try:
            return self.run("rev-parse", "--is-inside-work-tree") == "true"
        except GitError:
            return False

    def made(self) -> str | None:
        """The newest commit of `commit_files` in the history of all branches; None: there is none."""
        return self.run("log", "--all", "--fixed-strings", "--grep", _TRAILER, "--max-count=1", "--format=%H") or None

    def commit_files(self, files: Path, parent: str | None = None) -> str:
        """A commit that has exactly the files of a folder. No branch is changed.

        Args:
            files: The folder.
            parent: The commit before; None: it is the first one.
        """
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder, "index")
            self.run("add", "--all", "--force", ".", index=index, tree=files)
            tree = self.run("write-tree", index=index)
        if parent is not None and tree == self.run("rev-parse", f"{parent}^{{tree}}"):
            return parent
        message = f"daebus new, by daebus {version('daebus')}\n\n{_TRAILER}"
        parents = () if parent is None else ("-p", parent)
        return self.run(*self._identity(), "commit-tree", tree, *parents, "-m", message)

    def merge(self, commit: str) -> None:
        """Merge a commit. Raises `GitError` if there are conflicts."""
        self.run(*self._identity(), "merge", "--quiet", "--no-edit", "--no-ff", commit)

    def _identity(self) -> tuple[str, ...]:
        """Who commits, if the user has not told git."""
        try:
            self.run("var", "GIT_COMMITTER_IDENT")
        except GitError:
            return ("-c", "user.name=daebus new", "-c", "user.email=daebus@localhost")
        return ()
