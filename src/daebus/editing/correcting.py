"""The correction of an app: all fixes that are certain, each confirmed by a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from daebus.checking.mistake import Mistake
from daebus.checking.snapshot import Snapshot

from .edits import Edit, apply_edits
from .fixes import Fix, certain_fix
from .index import Index, Pages

__all__ = ["Corrected", "Correction", "correct"]

_Key = tuple[str | None, str, str]
Check = Callable[[Mapping[str, str]], Snapshot]


class Correction(msgspec.Struct, frozen=True):
    """A fix that was made, and the mistake that it corrects."""

    mistake: Mistake
    title: str


class Corrected(msgspec.Struct, frozen=True):
    """The result of a correction.

    Attributes:
        corrections: The fixes that were made, in their order.
        texts: The new text of each file that they change, by path.
        left: The mistakes that are left.
    """

    corrections: Sequence[Correction]
    texts: Mapping[str, str]
    left: Sequence[Mistake]


def correct(check: Check, read: Callable[[str], str | None], place: Callable[[str], str]) -> Corrected:
    """Correct an app as far as that is certain. No file is written.

    A fix is kept if a check no longer finds its mistake, and finds no mistake that was not there before.

    Args:
        check: Checks the app, with some texts instead of its files.
        read: Gives the text of a file; None: it is not to be changed.
        place: Gives the path of the file that a mistake names.
    """
    return _Correcting(check, read, place).run()


class _Correcting:
    def __init__(self, check: Check, read: Callable[[str], str | None], place: Callable[[str], str]) -> None:
        self._check = check
        self._read = read
        self._place = place
        self._texts: dict[str, str] = {}
        self._pages = Pages(self._text)
        self._snapshot = check({})
        self._refused: set[_Key] = set()
        self._made: list[Correction] = []

    def run(self) -> Corrected:
        most: int | None = None
        while batch := self._batch()[:most]:
            if self._try(batch):
                most = None
            elif len(batch) > 1:
                most = len(batch) // 2
            else:
                self._refused.add(_key(batch[0][0]))
                most = None
        return Corrected(self._made, self._texts, self._snapshot.problems)

    def _text(self, path: str) -> str:
        return self._texts.get(path) or self._read(path) or ""

    def _batch(self) -> list[tuple[Mistake, Fix]]:
        """The certain fixes of the mistakes that are left, as far as they do not overlap."""
        found: list[tuple[Mistake, Fix]] = []
        edits: list[Edit] = []
        for mistake, fix in self._certain():
            if not any(_overlap(one, other) for one in fix.edits for other in edits):
                found.append((mistake, fix))
                edits.extend(fix.edits)
        return found

    def _certain(self) -> Iterator[tuple[Mistake, Fix]]:
        index = Index([self._snapshot], self._pages)
        for mistake in self._snapshot.problems:
            where = self._where(index, mistake)
            if where is not None and _key(mistake) not in self._refused:
                path, start, end = where
                fix = certain_fix(index, path, (start, end), mistake)
                if fix is not None and all(self._read(edit.path) is not None for edit in fix.edits):
                    yield mistake, fix

    def _where(self, index: Index, mistake: Mistake) -> tuple[str, int, int] | None:
        """The file with a mistake, and the offsets of the wrong piece."""
        if mistake.file is None or mistake.line is None or mistake.column is None:
            return None
        path = self._place(mistake.file)
        if self._read(path) is None:
            return None
        page = index.page(path)
        end_line, end_column = mistake.end_line or mistake.line, mistake.end_column or mistake.column
        return path, page.offset(mistake.line - 1, mistake.column - 1), page.offset(end_line - 1, end_column - 1)

    def _try(self, batch: Sequence[tuple[Mistake, Fix]]) -> bool:
        """Make some fixes, if a check confirms them."""
        texts = dict(self._texts)
        edits = [edit for _, fix in batch for edit in fix.edits]
        for path in dict.fromkeys(edit.path for edit in edits):
            texts[path] = apply_edits(self._text(path), [edit for edit in edits if edit.path == path])
        snapshot = self._check(texts)
        before, after = Counter(map(_key, self._snapshot.problems)), Counter(map(_key, snapshot.problems))
        before -= Counter(_key(mistake) for mistake, _ in batch)
        if after - before or (snapshot.service is None and self._snapshot.service is not None):
            return False
        self._texts, self._snapshot = texts, snapshot
        self._made += [Correction(mistake, fix.title) for mistake, fix in batch]
        return True


def _key(mistake: Mistake) -> _Key:
    """What identifies a mistake after others were corrected, which may move its line."""
    return mistake.file, mistake.code, mistake.message


def _overlap(one: Edit, other: Edit) -> bool:
    return one.path == other.path and one.start <= other.end and other.start <= one.end
