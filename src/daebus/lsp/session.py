"""A session: one editor, its workspace, and what is known of the apps in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from daebus.editing.index import Index, Pages

from .cache import Cache
from .checks import App, Checks
from .diagnostics import diagnostics_of
from .options import Options
from .starting import First
from .targets import Target, defined_apps, find_targets
from .texts import Texts
from .uris import path_of
from .workers import Worker

__all__ = ["Refreshed", "Session"]

Refreshed = Literal["code_lens", "inlay_hint", "semantic_tokens"]
"""What an editor shows within the text."""


class Session:
    """The state of the server for one editor.

    Args:
        server: The connection with the editor, after it was initialized.
        options: The options that the editor has given.
        worker: Does the checks.
        first: What the first message of the editor has led to.
    """

    def __init__(self, server: LanguageServer, options: Options, worker: Worker, first: First | None = None) -> None:
        self._server = server
        self._worker = worker
        self.folders: Sequence[str] = [path_of(uri) for uri in _folders(server)]
        self.texts: Texts = Texts(server.workspace)
        self._cache = Cache()
        self._pages = Pages(self.texts.text)
        self._first = first
        self.checks: Checks = Checks(self.folders, self.texts, worker, options, self._cache, self._found, first)
        self.index: Index = Index((), self._pages)
        self._named: dict[str, object] = {}
        self._published: set[str] = set()
        self._looked = asyncio.Event()

    @property
    def apps(self) -> Sequence[App]:
        """The apps of the workspace."""
        return self.checks.apps

    async def start(self) -> None:
        """Find the apps of the workspace and check them."""
        await self._worker.start()
        first = self._first
        self._take(find_targets(self.folders) if first is None or first.folders != self.folders else first.targets)
        await asyncio.to_thread(self._cache.clean)

    def look(self) -> None:
        """Find the apps again, as files have changed."""
        self._take(find_targets(self.folders))

    def _take(self, targets: Sequence[Target]) -> None:
        if self.checks.replace(targets):
            self._renew()
            self._publish()
            self._refresh()
        self._looked.set()

    async def checked(self, uri: str, kind: Refreshed) -> None:
        """Wait until a file is checked as it is now, if the editor would not ask again for what it shows within it.

        If the file is edited meanwhile, the request is cancelled: it was about another text.
        """
        if self._can_refresh(kind):
            return
        path = path_of(uri)
        version = self.texts.version(path)
        await self._looked.wait()
        await self.checks.settle(path)
        if self.texts.version(path) != version:
            raise asyncio.CancelledError

    def touch(self, uri: str, *, typing: bool = False) -> None:
        """A file has changed, in the editor or on disk."""
        path = path_of(uri)
        self.checks.touch(path, typing=typing)
        if not typing and self._names_other_apps(path):
            self.look()

    def _names_other_apps(self, path: str) -> bool:
        """Whether a file, as it is saved, names or defines other apps than before."""
        text = self.texts.saved(path)
        named = text if path.endswith("pyproject.toml") else defined_apps(text)
        before, self._named[path] = self._named.get(path), named
        return named != before and bool(named or before)

    def close(self) -> None:
        """End all checks."""
        self.checks.close()
        self._worker.close()

    def _found(self, app: App) -> None:
        """An app was checked: show what was found."""
        self._renew()
        self._publish()
        if app.known is not None and app.known is app.snapshot:
            self._refresh()

    def _renew(self) -> None:
        known = [app.known for app in self.apps if app.known is not None]
        self.index = Index(known, self._pages)

    def _refresh(self) -> None:
        """Ask the editor to ask again for what it shows within the text, if it can."""
        if self._can_refresh("code_lens"):
            self._server.workspace_code_lens_refresh(None)
        if self._can_refresh("inlay_hint"):
            self._server.workspace_inlay_hint_refresh(None)
        if self._can_refresh("semantic_tokens"):
            self._server.workspace_semantic_tokens_refresh(None)

    def _can_refresh(self, kind: Refreshed) -> bool:
        workspace = self._server.client_capabilities.workspace
        if workspace is None:
            return False
        able = {
            "code_lens": workspace.code_lens,
            "inlay_hint": workspace.inlay_hint,
            "semantic_tokens": workspace.semantic_tokens,
        }[kind]
        return able is not None and able.refresh_support is True

    def _publish(self) -> None:
        """Show the diagnostics of all apps; those of files that have none any more are cleared."""
        found = diagnostics_of(self.apps, self.texts)
        for path in self._published - found.keys():
            found[path] = []
        for path, diagnostics in found.items():
            version, uri = self.texts.version(path), self.texts.uri(path)
            self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics, version))
        self._published = {path for path, diagnostics in found.items() if diagnostics}


def _folders(server: LanguageServer) -> list[str]:
    folders = list(server.workspace.folders)
    root = server.workspace.root_uri
    return folders or ([root] if root else [])
