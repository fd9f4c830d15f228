"""The requests of the editor, and which feature answers each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from daebus.editing.index import Index

from .features.actions import code_actions
from .features.completion import complete
from .features.hover import hints, hover
from .features.navigation import define, implement, lenses, refer, symbols
from .features.renaming import find_renamed, rename
from .features.semantics import LEGEND, semantic_tokens
from .options import Options
from .session import Refreshed, Session
from .starting import Start
from .texts import Texts
from .uris import path_of
from .workers import Worker

__all__ = ["Server", "register"]

T = TypeVar("T")

_TRIGGERS = ["*", ",", "(", " "]


class Server(LanguageServer):
    """A language server with a session.

    Attributes:
        options: The options that the editor has given.
        start: What has begun before the server was loaded; None: nothing.
    """

    options: Options = Options()
    start: Start | None = None
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """The session with the editor, after the editor has initialized the server."""
        if self._session is None:
            first = None if self.start is None else self.start.first
            self._session = Session(self, self.options, Worker(self.start), first)
        return self._session

    def end(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()


def register(server: Server) -> None:
    """Answer the requests of the editor."""
    server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS))(_complete)
    server.feature(types.TEXT_DOCUMENT_HOVER)(_at(hover))
    server.feature(types.TEXT_DOCUMENT_INLAY_HINT)(_hints)
    server.feature(types.TEXT_DOCUMENT_DEFINITION)(_at(define))
    server.feature(types.TEXT_DOCUMENT_IMPLEMENTATION)(_at(implement))
    server.feature(types.TEXT_DOCUMENT_REFERENCES)(_at(refer))
    server.feature(types.TEXT_DOCUMENT_CODE_LENS)(_shown(lenses, "code_lens"))
    server.feature(types.WORKSPACE_SYMBOL)(_symbols)
    server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)(_at(find_renamed))
    server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))(_rename)
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.Refactor]
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))(_actions)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)(_shown(semantic_tokens, "semantic_tokens"))


class _Placed(Protocol):
    """The parameters of a request about a position."""

    text_document: types.TextDocumentIdentifier
    position: types.Position


class _Filed(Protocol):
    """The parameters of a request about a file."""

    text_document: types.TextDocumentIdentifier


def _at(answer: Callable[[Index, Texts, str, types.Position], T]) -> Callable[[Server, _Placed], T]:
    def ask(ls: Server, params: _Placed) -> T:
        return answer(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)

    return ask


def _shown(answer: Callable[[Index, Texts, str], T], kind: Refreshed) -> Callable[[Server, _Filed], Awaitable[T]]:
    async def ask(ls: Server, params: _Filed) -> T:
        await ls.session.checked(params.text_document.uri, kind)
        return answer(ls.session.index, ls.session.texts, path_of(params.text_document.uri))

    return ask


def _complete(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    index, texts = ls.session.index, ls.session.texts
    items = complete(index, texts, path_of(params.text_document.uri), params.position)
    return types.CompletionList(is_incomplete=False, items=items)


async def _hints(ls: Server, params: types.InlayHintParams) -> Sequence[types.InlayHint]:
    await ls.session.checked(params.text_document.uri, "inlay_hint")
    return hints(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.range)


def _symbols(ls: Server, params: types.WorkspaceSymbolParams) -> Sequence[types.WorkspaceSymbol]:
    return symbols(ls.session.index, ls.session.texts, params.query)


def _rename(ls: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    path = path_of(params.text_document.uri)
    return rename(ls.session.index, ls.session.texts, path, params.position, params.new_name)


def _actions(ls: Server, params: types.CodeActionParams) -> Sequence[types.CodeAction]:
    path, shown = path_of(params.text_document.uri), params.context.diagnostics
    return code_actions(ls.session.index, ls.session.texts, path, params.range, shown)
