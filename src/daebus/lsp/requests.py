"""The requests of the editor, and which feature answers each."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from .features.actions import code_actions
from .features.completion import complete
from .features.hover import hints, hover
from .features.navigation import define, implement, lenses, refer, symbols
from .features.renaming import find_renamed, rename
from .features.semantics import LEGEND, semantic_tokens
from .options import Options
from .session import Session
from .texts import path_of

__all__ = ["Server", "register"]

_TRIGGERS = ["*", ",", "(", " "]


class Server(LanguageServer):
    """A language server with a session.

    Attributes:
        options: The options that the editor has given.
    """

    options: Options = Options()
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """The session with the editor, after the editor has initialized the server."""
        if self._session is None:
            self._session = Session(self, self.options)
        return self._session

    def end(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()


def register(server: Server) -> None:
    """Answer the requests of the editor."""
    server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=_TRIGGERS))(_complete)
    server.feature(types.TEXT_DOCUMENT_HOVER)(_hover)
    server.feature(types.TEXT_DOCUMENT_INLAY_HINT)(_hints)
    server.feature(types.TEXT_DOCUMENT_DEFINITION)(_define)
    server.feature(types.TEXT_DOCUMENT_IMPLEMENTATION)(_implement)
    server.feature(types.TEXT_DOCUMENT_REFERENCES)(_refer)
    server.feature(types.TEXT_DOCUMENT_CODE_LENS)(_lenses)
    server.feature(types.WORKSPACE_SYMBOL)(_symbols)
    server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)(_prepare_rename)
    server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))(_rename)
    kinds = [types.CodeActionKind.QuickFix, types.CodeActionKind.Refactor]
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds))(_actions)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)(_tokens)


def _complete(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    index, texts = ls.session.index, ls.session.texts
    items = complete(index, texts, path_of(params.text_document.uri), params.position)
    return types.CompletionList(is_incomplete=False, items=items)


def _hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
    return hover(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)


def _hints(ls: Server, params: types.InlayHintParams) -> Sequence[types.InlayHint]:
    return hints(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.range)


def _define(ls: Server, params: types.DefinitionParams) -> Sequence[types.Location]:
    return define(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)


def _implement(ls: Server, params: types.ImplementationParams) -> Sequence[types.Location]:
    return implement(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)


def _refer(ls: Server, params: types.ReferenceParams) -> Sequence[types.Location]:
    return refer(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)


def _lenses(ls: Server, params: types.CodeLensParams) -> Sequence[types.CodeLens]:
    return lenses(ls.session.index, ls.session.texts, path_of(params.text_document.uri))


def _symbols(ls: Server, params: types.WorkspaceSymbolParams) -> Sequence[types.WorkspaceSymbol]:
    return symbols(ls.session.index, ls.session.texts, params.query)


def _prepare_rename(ls: Server, params: types.PrepareRenameParams) -> types.Range | None:
    return find_renamed(ls.session.index, ls.session.texts, path_of(params.text_document.uri), params.position)


def _rename(ls: Server, params: types.RenameParams) -> types.WorkspaceEdit | None:
    path = path_of(params.text_document.uri)
    return rename(ls.session.index, ls.session.texts, path, params.position, params.new_name)


def _actions(ls: Server, params: types.CodeActionParams) -> Sequence[types.CodeAction]:
    path, shown = path_of(params.text_document.uri), params.context.diagnostics
    return code_actions(ls.session.index, ls.session.texts, path, params.range, shown)


def _tokens(ls: Server, params: types.SemanticTokensParams) -> types.SemanticTokens:
    return semantic_tokens(ls.session.index, ls.session.texts, path_of(params.text_document.uri))
