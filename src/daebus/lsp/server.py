"""The language server on stdin and stdout."""

from __future__ import annotations

import gc
from importlib.metadata import version

from lsprotocol import types

from .options import read_options
from .requests import Server, register
from .starting import Start

__all__ = ["Server", "serve"]


def serve(start: Start) -> None:
    """Serve an editor until it ends the session."""
    server = make_server()
    server.start = start
    gc.freeze()  # what was loaded stays, and a collection that looks at it would delay an answer
    gc.enable()
    try:
        server.start_io(start.stdin)
    finally:
        server.end()


def make_server() -> Server:
    """The server with all its features."""
    server = Server("daebus", version("daebus"))
    register(server)
    server.feature(types.INITIALIZE)(_initialize)
    server.feature(types.INITIALIZED)(_initialized)
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(_opened)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(_changed)
    server.feature(types.TEXT_DOCUMENT_DID_SAVE)(_saved)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(_closed)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(_changed_on_disk)
    server.feature(types.SHUTDOWN)(_shut_down)
    return server


def _initialize(ls: Server, params: types.InitializeParams) -> None:
    ls.options = read_options(params.initialization_options)


async def _initialized(ls: Server, _: types.InitializedParams) -> None:
    await ls.session.start()
    _watch(ls)


def _watch(ls: Server) -> None:
    """Ask the editor to tell about changes of files that are not open in it."""
    workspace = ls.client_capabilities.workspace
    watching = None if workspace is None else workspace.did_change_watched_files
    if watching is not None and watching.dynamic_registration:
        watchers = [types.FileSystemWatcher(pattern) for pattern in ("**/*.py", "**/pyproject.toml")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        registration = types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        ls.client_register_capability(types.RegistrationParams([registration]))


def _opened(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    ls.session.texts.opened(params.text_document.uri)
    if not ls.session.texts.is_saved(params.text_document.uri):  # an editor keeps unsaved text also when it restarts
        ls.session.touch(params.text_document.uri, typing=True)


def _changed(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    ls.session.touch(params.text_document.uri, typing=True)


def _saved(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    ls.session.touch(params.text_document.uri)


def _closed(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    ls.session.texts.closed(params.text_document.uri)
    ls.session.touch(params.text_document.uri)


def _changed_on_disk(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    for change in params.changes:
        ls.session.touch(change.uri)


def _shut_down(ls: Server, _: None) -> None:
    ls.end()
