"""`WiringProblem`: one mistake, as data: its kind, its place down to the column, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from .places import show_path
from .render import Note, render, span_of
from .sources import Span

__all__ = ["CODES", "Code", "Note", "WiringProblem"]

Code: TypeAlias = Literal[
    # The shape of a handler
    "async-thread",
    "forgotten-star",
    "hidden-coroutine",
    "method-as-handler",
    "misplaced-payload",
    "missing-annotation",
    "missing-payload",
    "missing-return",
    "not-a-function",
    "not-a-stream",
    "plain-generator",
    "second-payload",
    "undecodable",
    "unencodable",
    "unexpected-payload",
    "unexpected-reply",
    "unexpected-stream",
    "unfillable-parameter",
    "unresolved-annotation",
    "unstoppable-thread",
    "unused-default",
    "wrong-part",
    "wrong-payload",
    "wrong-reply",
    # Services
    "async-resource",
    "blocks-the-loop",
    "foreign-provider",
    "needs-the-loop",
    "never-awaited",
    "never-entered",
    "no-sender",
    "wrong-guard",
    "not-a-provider",
    "unknown-service",
    "wrong-type",
    # The container
    "captured-message-object",
    "context-local",
    "dependency-cycle",
    "undefined-dependency",
    "unknown-override",
    "unset-option",
    "wrong-argument",
    "wrong-container",
    "wrong-override",
    "wrong-per-message",
    # Contracts and names
    "foreign-contract",
    "mixed-durability",
    "never-retried",
    "reserved-name",
    "service-not-named",
    "untyped-contract",
    "wrong-contract",
    "wrong-name",
    "wrong-option",
    "wrong-schedule",
    # Routes
    "body-on-get",
    "malformed-path",
    "not-in-query",
    "path-mismatch",
    "refused-by-litestar",
    "same-route",
    "unchecked-bound",
    "unknown-option",
    "wrong-method",
    "wrong-path-type",
    "wrong-status",
    # Registration
    "duplicate-blueprint",
    "duplicate-component",
    "duplicate-handler",
    "duplicate-listener",
    "misspelt-channel",
    "no-handlers",
    "not-attached",
    "taken-name",
    "too-late",
    "wrong-component",
    "wrong-interceptor",
    # Unsafe in production
    "any-host",
    "any-origin",
    "debug-mode",
    "embedded-engine",
    "insecure-cookie",
    "no-password",
    "no-server",
    "old-protocol",
    "open-documentation",
    "unencrypted-server",
    "unlimited-body",
    "unsigned-users",
    # Anything else
    "wiring",
]

CODES: tuple[str, ...] = get_args(Code)
"""All the kinds of mistakes. These words never change."""


class WiringProblem:
    """One mistake found in a handler, a container or a contract.

    Attributes:
        where: `file:line` of the handler, or of the call that is wrong.
        subject: The part with the mistake, such as ``get_user(repo: UserRepo)``.
        found: What daebus found instead, one sentence.
        remedy: What to do, one sentence.
        code: The kind of the mistake, such as ``unknown-service``.
        parameter: The name of the parameter that is wrong, if it is one.
        notes: Further facts, such as what the container offers instead.
    """

    __slots__ = ("_at", "code", "found", "notes", "parameter", "remedy", "subject", "where")

    def __init__(
        self,
        where: str,
        subject: str,
        found: str,
        remedy: str,
        *,
        code: Code = "wiring",
        parameter: str | None = None,
        notes: Iterable[Note] = (),
    ) -> None:
        self._at = where
        self.where: str = str(where)
        self.subject: str = subject
        self.found: str = found
        self.remedy: str = remedy
        self.code: Code = code
        self.parameter: str | None = parameter
        self.notes: tuple[Note, ...] = tuple(notes)

    @property
    def span(self) -> Span | None:
        """The exact piece of source, looked up again at each call; None if there is no source."""
        return span_of(self._at)

    @property
    def message(self) -> str:
        """The mistake in one line."""
        return f"{self.subject}: {self.found}"

    @property
    def file(self) -> str:
        """The file, as `where` shows it."""
        span = self.span
        return self.where.rpartition(":")[0] or self.where if span is None else show_path(span.path)

    @property
    def line(self) -> int | None:
        """The line, from 1; None: there is no source."""
        span = self.span
        if span is not None:
            return span.line
        digits = self.where.rpartition(":")[2]
        return int(digits) if digits.isdecimal() else None

    def render(self, *, colour: bool = False, word: Literal["error", "warning"] = "error") -> str:
        """The mistake with its piece of source, in several lines; with `colour` for a terminal."""
        return render((self.code, self.message), self._at, self.notes, self.remedy, colour=colour, word=word)

    def __str__(self) -> str:
        return self.render()
