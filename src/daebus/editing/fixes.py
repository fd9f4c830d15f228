"""Fixes: the help of a mistake as edits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from daebus.checking.mistake import Mistake
from daebus.checking.snapshot import Member, Provider

from .edits import Edit
from .index import Index
from .syntax import Header, Page, Parameter

__all__ = ["Fix", "certain_fix", "find_fixes"]

_QUOTED = re.compile(r"did you mean '?([^' ?]+)'?\?|(?:rename it to|name it) '([^']+)'|^write '([^']+)'$")
_ANNOTATED = re.compile(r"annotate it(?:, as \w+: | as |: )`?(?P<type>[^`,]+?)`?(?:, or .*)?$")
_ADDED = re.compile(r"add `(?P<line>[^`]+)` to (?P<container>\w+)")
_USED = re.compile(r"^write (?P<parameter>\w+: .+ = use\([\w.]+\))$")
_GIVEN = re.compile(r"^add (?P<argument>\w+=[\w.]+)$")
_BRACES = re.compile(r"^write (?P<segment><\w+>), and annotate it: \w+: \w+$")
_TAKEN = re.compile(r"add `(?P<parameter>[^`]+)` left of the \*")
# Comments and other kinds of parameters, which a new order would lose.
_OTHER = re.compile(r"#|\*\*|\*\w|/")
_CHOICE = re.compile(r"\bor\b|, and\b")


class Fix(msgspec.Struct, frozen=True):
    """A way to correct a mistake; none of its edits overlap."""

    title: str
    edits: Sequence[Edit]


def find_fixes(index: Index, path: str, where: tuple[int, int], mistake: Mistake) -> list[Fix]:
    """The fixes of a mistake, the most probable first; none if its help is no edit.

    Args:
        index: What is known of the code.
        path: The file with the mistake.
        where: The offsets of the beginning and the end of the wrong piece.
        mistake: The mistake.
    """
    return list(_Fixes(index, path, *where, mistake).all())


def certain_fix(index: Index, path: str, where: tuple[int, int], mistake: Mistake) -> Fix | None:
    """The fix of a mistake that has only this one: its help leaves no choice, and nothing for the user to add.

    The arguments are those of `find_fixes`.
    """
    remedy = mistake.remedy or ""
    if (_CHOICE.search(re.sub(r"`[^`]*`", "", remedy)) and not _BRACES.search(remedy)) or _ADDED.search(remedy):
        return None
    found = find_fixes(index, path, where, mistake)
    return found[0] if len(found) == 1 else None


class _Fixes(msgspec.Struct, frozen=True):
    """The fixes of one mistake."""

    index: Index
    path: str
    start: int
    end: int
    mistake: Mistake

    @property
    def page(self) -> Page:
        return self.index.page(self.path)

    def all(self) -> Iterator[Fix]:
        fixes: dict[str, Callable[[], Iterator[Fix]]] = {
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
        for pattern, fix in (
            (_QUOTED, self._correct),
            (_ANNOTATED, self._annotate),
            (_ADDED, self._add_provider),
            (_USED, self._use),
            (_GIVEN, self._give),
            (_BRACES, self._correct),
            (_TAKEN, self._take),
        ):
            found = pattern.search(self.mistake.remedy or "")
            if found is not None:
                yield from fix(*(part for part in found.groups() if part is not None))

    def _edit(self, start: int, end: int, text: str) -> Edit:
        return Edit(self.path, start, end, text)

    def _header(self) -> Header | None:
        """The handler with the mistake."""
        return self.page.header(self.start)

    def _parameter(self) -> tuple[Header, Parameter] | None:
        """The parameter with the mistake, and its handler."""
        header = self._header()
        parameters = () if header is None else header.parameters
        found = next((one for one in parameters if one.start <= self.start <= one.end), None)
        return None if header is None or found is None else (header, found)

    def _provider(self) -> Provider | None:
        """The provider of the parameter with the mistake."""
        found = self._parameter()
        return None if found is None else self.index.provider(self.path, *found)

    def _add_star(self) -> Iterator[Fix]:
        """Put a bare ``*`` before the first service, behind what comes from the message."""
        found = self._parameter()
        if found is None:
            return
        header, first = found
        providers = self.index.providers(self.path)
        services = [one for one in header.left if _is_service(one, first, providers)]
        left, right = [one for one in header.left if one not in services], header.right
        title = "Put a bare * before the services"
        if not right and services and [*left, *services] == [*header.parameters]:
            yield Fix(title, [self._edit(services[0].start, services[0].start, "*, ")])
        else:
            yield from self._ordered(title, header, left, [*services, *right])

    def _ordered(
        self, title: str, header: Header, left: Sequence[Parameter], right: Sequence[Parameter], new: str = ""
    ) -> Iterator[Fix]:
        """The parameters of a handler in a new order, with a new one left of the ``*``; none if text would be lost."""
        start, end = header.opening + 1, header.closing
        if _OTHER.search(self.page.text, start, end):
            return
        parts = [*map(self._code, left), *([new] if new else [])]
        parts += ["*", *map(self._code, right)] if right else []
        yield Fix(title, [self._edit(start, end, ", ".join(parts)), *self._imports(new.partition(": ")[2])])

    def _code(self, one: Parameter) -> str:
        return self.page.text[one.start : one.end]

    def _move_left(self) -> Iterator[Fix]:
        found = self._parameter()
        if found is None:
            return
        header, moved = found
        right = [one for one in header.right if one is not moved]
        yield from self._ordered(f"Move {moved.name} left of the *", header, [*header.left, moved], right)

    def _remove_default(self) -> Iterator[Fix]:
        found = self._parameter()
        if found is None or not found[1].default:
            return
        _, parameter = found
        code = f"{parameter.name}: {parameter.annotation}" if parameter.annotation else parameter.name
        yield Fix("Remove the default", [self._edit(parameter.start, parameter.end, code)])

    def _correct(self, name: str) -> Iterator[Fix]:
        """Replace the name that is wrong by the one that was meant."""
        found = self._parameter()
        if found is not None:
            header, parameter = found
            edits = [self._edit(parameter.start, parameter.name_end, name)]
            for index in range(self.page.index(header.closing), self.page.index(header.end)):
                token = self.page.tokens[index]
                before = self.page.tokens[index - 1].text
                if token.text == parameter.name and before != ".":
                    edits.append(self._edit(token.start, token.end, name))
            yield Fix(f"Change {parameter.name} to {name}", edits)
            return
        code = self.page.text[self.start : self.end]
        wrong = _wrong_word(self.mistake.message, code)
        if wrong is not None:
            at = self.start + code.index(wrong)
            yield Fix(f"Change {wrong} to {name}", [self._edit(at, at + len(wrong), name)])

    def _annotate(self, shown: str) -> Iterator[Fix]:
        found = self._parameter()
        if found is None or shown == "its type":
            return
        _, parameter = found
        default = f" = {parameter.default}" if parameter.default else ""
        edit = self._edit(parameter.start, parameter.end, f"{parameter.name}: {shown}{default}")
        yield Fix(f"Annotate {parameter.name} as {shown}", [edit, *self._imports(shown)])

    def _use(self, parameter: str) -> Iterator[Fix]:
        """Name the provider of a service."""
        found = self._parameter()
        if found is not None:
            edits = [self._edit(found[1].start, found[1].end, parameter)]
            edits += self.index.imports(self.path, Member("use", "daebus", "use"))
            yield Fix(f"Write {parameter}", edits)

    def _give(self, argument: str) -> Iterator[Fix]:
        """Add an argument at the end of a call."""
        end = self.page.text.rfind(")", self.start, self.end)
        before = self.page.text[self.start : end].rstrip()
        if end != -1:
            at = self.start + len(before)
            yield Fix(f"Add {argument}", [self._edit(at, at, f"{'' if before[-1] in '(,' else ','} {argument}")])

    def _imports(self, shown: str) -> list[Edit]:
        """What a type needs, as far as a provider or a contract gives it."""
        members: list[Member] = [one.gives for one in self.index.providers(self.path).values() if one.gives is not None]
        members += [member for one in self.index.contracts().values() for member in one.types]
        member = next((one for one in members if one.shown == shown), None)
        return [] if member is None else self.index.imports(self.path, member)

    def _add_provider(self, line: str, container: str) -> Iterator[Fix]:
        """Add a provider at the end of the body of the container."""
        snapshot = next((one for one in self.index.snapshots(self.path) if one.container == container), None)
        file = None if snapshot is None else snapshot.container_file
        if file is None:
            return
        found = re.search(
            rf"^class {re.escape(container)}\b[^\n]*:[^\n]*\n(?P<body>(?:[ \t]+[^\n]*\n?|\s*\n)*)",
            self.index.page(file).text,
            re.MULTILINE,
        )
        if found is not None:
            end = found.start("body") + len(found["body"].rstrip())
            yield Fix(f"Add {line.partition(' ')[0]} to {container}", [Edit(file, end, end, f"\n    {line}")])

    def _take(self, parameter: str) -> Iterator[Fix]:
        """Add a parameter left of the ``*``."""
        header = self._header()
        if header is not None:
            yield from self._ordered(f"Take {parameter}", header, header.left, header.right, parameter)

    def _make_factory(self) -> Iterator[Fix]:
        yield from self._kind_at(self.path, self.start, "providers.Factory")

    def _make_per_message(self) -> Iterator[Fix]:
        provider = self._provider()
        if provider is not None and provider.file is not None and provider.line is not None:
            start = self.index.page(provider.file).offset(provider.line - 1, 0)
            yield from self._kind_at(provider.file, start, "PerMessage")

    def _open_iterator(self) -> Iterator[Fix]:
        """If the provider gives a generator of what the handler asks for, let it be opened for each message."""
        found, provider = self._parameter(), self._provider()
        given = "" if provider is None or provider.gives is None else provider.gives.shown
        if found is not None and re.fullmatch(
            rf"\w*(?:Iterator|Generator)\[{re.escape(found[1].annotation)}\b.*", given
        ):
            yield from self._make_per_message()

    def _kind_at(self, path: str, start: int, kind: str) -> Iterator[Fix]:
        page = self.index.page(path)
        found = re.compile(r"(?:providers\.)?[A-Z]\w+(?=\()").search(page.text, start)
        if found is not None:
            edits = [Edit(path, found.start(), found.end(), kind)]
            if kind == "PerMessage":
                edits += self.index.imports(path, Member(kind, "daebus", kind))
            yield Fix(f"Make it a {kind.rpartition('.')[2]}", edits)


def _is_service(one: Parameter, first: Parameter, providers: Mapping[str, Provider]) -> bool:
    provider = providers.get(one.name)
    gives = None if provider is None or provider.gives is None else provider.gives.shown
    return one is first or one.default.startswith("use(") or (gives is not None and gives == one.annotation)


def _wrong_word(message: str, code: str) -> str | None:
    """The quoted word of a message that is in a piece of code."""
    return next((word for word in re.findall(r"'([^']+)'", message) if word in code), None)
