"""URIs and paths of files."""

from __future__ import annotations

import os

from pygls.uris import from_fs_path, to_fs_path

__all__ = ["path_of", "uri_of"]


def path_of(uri: str) -> str:
    """The path of a file, without symbolic links, as the interpreter knows it."""
    return os.path.realpath(to_fs_path(uri) or uri)


def uri_of(path: str) -> str:
    """The URI of a file."""
    return from_fs_path(path) or path
