"""Code actions: the help of a mistake as an edit; the handler of a contract; the test of a handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
from lsprotocol import types

from daebus.checking.told import Mistake
from daebus.lsp.imports import import_edits
from daebus.lsp.index import Index
from daebus.lsp.syntax import Header, Page, Parameter
from daebus.lsp.texts import Texts
from daebus.lsp.worker.messages import Member, Provider

from .creating import creations

__all__ = ["code_actions"]

_QUOTED = re.compile(r"did you mean '([^']+)'|(?:rename it to|name it) '([^']+)'")
_ANNOTATED = re.compile(r"annotate it(?:, as \w+: | as |: )`?(?P<type>[^`,]+?)`?(?:, or .*)?$")
_ADDED = re.compile(r"add `(?P<line>[^`]+)` to (?P<container>\w+)")
_TAKEN = re.compile(r"add `(?P<parameter>[^`]+)` left of the \*")
_EXTRA = "providers.Singleton"


def code_actions(
    index: Index, texts: Texts, path: str, shown: types.Range, diagnostics: Iterable[types.Diagnostic]
) -> list[types.CodeAction]:
    """The actions for a range: a fix of each mistake in it, then what can be created."""
    found: list[types.CodeAction] = []
    for diagnostic in diagnostics:
        if diagnostic.source != "daebus" or diagnostic.data is None:
            continue
        mistake = msgspec.convert(diagnostic.data, Mistake)
        for title, edits in _Fixes(index, texts, path, diagnostic.range, mistake).all():
            found.append(
                types.CodeAction(
                    title,
                    types.CodeActionKind.QuickFix,
                    diagnostics=[diagnostic],
                    is_preferred=not found,
                    edit=types.WorkspaceEdit(changes=edits),
                )
            )
    return [*found, *creations(index, texts, path, shown)]


Edits = Mapping[str, Sequence[types.TextEdit]]


class _Fixes(msgspec.Struct, frozen=True):
    """The fixes of one mistake."""

    index: Index
    texts: Texts
    path: str
    range: types.Range
    mistake: Mistake

    @property
    def page(self) -> Page:
        return self.index.page(self.path)

    def all(self) -> Iterator[tuple[str, Edits]]:
        """Each fix: its title and its edits."""
        fixes: dict[str, Callable[[], Iterator[tuple[str, Edits]]]] = {
            "forgotten-star": self._add_star,
            "misplaced-payload": self._move_left,
            "captured-message-object": self._make_factory,
            "unused-default": self._remove_default,
            "never-awaited": self._make_per_message,
            "never-entered": self._make_per_message,
            "wrong-type": self._open_iterator,
        }
        if self.mistake.code in fixes:
            yield from fixes[self.mistake.code]()
        remedy = self.mistake.remedy or ""
        found = _QUOTED.search(remedy)
        if found is not None:
            yield from self._correct(found[1] or found[2])
        if (annotated := _ANNOTATED.search(remedy)) is not None:
            yield from self._annotate(annotated["type"])
        if (added := _ADDED.search(remedy)) is not None:
            yield from self._add_provider(added["line"], added["container"])
        if (taken := _TAKEN.search(remedy)) is not None:
            yield from self._take(taken["parameter"])

    def _offset(self, at: types.Position) -> int:
        return self.page.offset(*self.texts.position(self.path, at))

    def _edit(self, start: int, end: int, text: str, path: str | None = None) -> Edits:
        path = path or self.path
        page = self.index.page(path)
        where = self.texts.range(path, page.place(start), page.place(end))
        return {self.texts.uri(path): [types.TextEdit(where, text)]}

    def _header(self) -> Header | None:
        """The handler with the mistake."""
        return self.page.header(self._offset(self.range.start))

    def _parameter(self) -> tuple[Header, Parameter] | None:
        """The parameter with the mistake, and its handler."""
        offset, header = self._offset(self.range.start), self._header()
        parameters = () if header is None else header.parameters
        found = next((one for one in parameters if one.start <= offset <= one.end), None)
        return None if header is None or found is None else (header, found)

    def _add_star(self) -> Iterator[tuple[str, Edits]]:
        """Put a bare ``*`` before the first service, behind what comes from the message."""
        found = self._parameter()
        if found is None:
            return
        header, first = found
        providers = self.index.providers(self.path)
        services = [one for one in header.parameters if not one.is_service and self._is_service(one, first, providers)]
        left = [one for one in header.parameters if not one.is_service and one not in services]
        right = [one for one in header.parameters if one.is_service]
        text = ", ".join([*map(self._code, left), "*", *map(self._code, services), *map(self._code, right)])
        yield "Put a bare * before the services", self._edit(header.opening + 1, header.closing, text)

    def _is_service(self, one: Parameter, first: Parameter, providers: Mapping[str, Provider]) -> bool:
        provider = providers.get(one.name)
        gives = None if provider is None or provider.gives is None else provider.gives.shown
        return one is first or one.default.startswith("use(") or (gives is not None and gives == one.annotation)

    def _code(self, one: Parameter) -> str:
        return self.page.text[one.start : one.end]

    def _move_left(self) -> Iterator[tuple[str, Edits]]:
        found = self._parameter()
        if found is None:
            return
        header, moved = found
        left = [one for one in header.parameters if not one.is_service]
        right = [one for one in header.parameters if one.is_service and one is not moved]
        parts = [*map(self._code, left), self._code(moved), *(["*", *map(self._code, right)] if right else [])]
        yield f"Move {moved.name} left of the *", self._edit(header.opening + 1, header.closing, ", ".join(parts))

    def _remove_default(self) -> Iterator[tuple[str, Edits]]:
        found = self._parameter()
        if found is None or not found[1].default:
            return
        _, parameter = found
        code = f"{parameter.name}: {parameter.annotation}" if parameter.annotation else parameter.name
        yield "Remove the default", self._edit(parameter.start, parameter.end, code)

    def _correct(self, name: str) -> Iterator[tuple[str, Edits]]:
        """Replace the name that is wrong by the one that was meant."""
        start, end = self._offset(self.range.start), self._offset(self.range.end)
        found = self._parameter()
        if found is not None:
            header, parameter = found
            edits = [(parameter.start, parameter.name_end)]
            for index in range(self.page.index(header.closing), self.page.index(header.end)):
                token = self.page.tokens[index]
                before = self.page.tokens[index - 1].text
                if token.text == parameter.name and before != ".":
                    edits.append((token.start, token.end))
            where = [self.texts.range(self.path, self.page.place(one), self.page.place(two)) for one, two in edits]
            yield (
                f"Change {parameter.name} to {name}",
                {self.texts.uri(self.path): [types.TextEdit(one, name) for one in where]},
            )
            return
        wrong = _wrong_word(self.mistake.message, self.page.text[start:end])
        if wrong is not None:
            at = start + self.page.text[start:end].index(wrong)
            yield f"Change {wrong} to {name}", self._edit(at, at + len(wrong), name)

    def _annotate(self, shown: str) -> Iterator[tuple[str, Edits]]:
        found = self._parameter()
        if found is None or shown == "its type":
            return
        _, parameter = found
        default = f" = {parameter.default}" if parameter.default else ""
        text = f"{parameter.name}: {shown}{default}"
        edits = dict(self._edit(parameter.start, parameter.end, text))
        uri = self.texts.uri(self.path)
        edits[uri] = [*edits[uri], *self._imports(shown)]
        yield f"Annotate {parameter.name} as {shown}", edits

    def _imports(self, shown: str) -> list[types.TextEdit]:
        """What a type needs, as far as a provider or a contract gives it."""
        members: list[Member] = [one.gives for one in self.index.providers(self.path).values() if one.gives is not None]
        members += [member for one in self.index.contracts().values() for member in one.types]
        member = next((one for one in members if one.shown == shown), None)
        if member is None:
            return []
        return import_edits(self.texts, self.path, self.page, member, self.index.modules.get(member.module or ""))

    def _add_provider(self, line: str, container: str) -> Iterator[tuple[str, Edits]]:
        """Add a provider at the end of the body of the container."""
        snapshot = next((one for one in self.index.snapshots(self.path) if one.container == container), None)
        file = None if snapshot is None else snapshot.container_file
        if file is None:
            return
        page = self.index.page(file)
        found = re.search(
            rf"^class {re.escape(container)}\b[^\n]*:[^\n]*\n(?P<body>(?:[ \t]+[^\n]*\n?|\s*\n)*)",
            page.text,
            re.MULTILINE,
        )
        if found is None:
            return
        body = found["body"].rstrip()
        end = found.start("body") + len(body)
        yield f"Add {line.partition(' ')[0]} to {container}", self._edit(end, end, f"\n    {line}", file)

    def _take(self, parameter: str) -> Iterator[tuple[str, Edits]]:
        """Add a parameter left of the ``*``."""
        header = self._header()
        if header is None:
            return
        left = [one for one in header.parameters if not one.is_service]
        rest = [one for one in header.parameters if one.is_service]
        star = ["*", *map(self._code, rest)] if rest else []
        text = ", ".join([*map(self._code, left), parameter, *star])
        edits = dict(self._edit(header.opening + 1, header.closing, text))
        uri = self.texts.uri(self.path)
        edits[uri] = [*edits[uri], *self._imports(parameter.partition(": ")[2])]
        yield f"Take {parameter}", edits

    def _make_factory(self) -> Iterator[tuple[str, Edits]]:
        yield from self._replace_kind("providers.Factory")

    def _make_per_message(self) -> Iterator[tuple[str, Edits]]:
        found = self._parameter()
        if found is None:
            return
        provider = self.index.provider(self.path, *found)
        if provider is not None and provider.file is not None and provider.line is not None:
            yield from self._kind_at(
                provider.file, self.index.page(provider.file).offset(provider.line - 1, 0), "PerMessage"
            )

    def _open_iterator(self) -> Iterator[tuple[str, Edits]]:
        """If the provider gives a generator of what the handler asks for, let it be opened for each message."""
        found = self._parameter()
        provider = None if found is None else self.index.provider(self.path, *found)
        given = "" if provider is None or provider.gives is None else provider.gives.shown
        if found is not None and re.fullmatch(
            rf"\w*(?:Iterator|Generator)\[{re.escape(found[1].annotation)}\b.*", given
        ):
            yield from self._make_per_message()

    def _replace_kind(self, kind: str) -> Iterator[tuple[str, Edits]]:
        yield from self._kind_at(self.path, self._offset(self.range.start), kind)

    def _kind_at(self, path: str, start: int, kind: str) -> Iterator[tuple[str, Edits]]:
        page = self.index.page(path)
        found = re.compile(r"(?:providers\.)?[A-Z]\w+(?=\()").search(page.text, start)
        if found is not None:
            edits = dict(self._edit(found.start(), found.end(), kind, path))
            if kind == "PerMessage":
                member, uri = Member(kind, "daebus", kind), self.texts.uri(path)
                edits[uri] = [*edits[uri], *import_edits(self.texts, path, page, member, None)]
            yield f"Make it a {kind.rpartition('.')[2]}", edits


def _wrong_word(message: str, code: str) -> str | None:
    """The quoted word of a message that is in a piece of code."""
    return next((word for word in re.findall(r"'([^']+)'", message) if word in code), None)
