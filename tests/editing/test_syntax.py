"""The text of a file: handlers and names, however unfinished; and that no edit breaks the reader of it."""

from __future__ import annotations

import ast
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daebus.editing.headers import Header
from daebus.editing.syntax import Page

CODE = '''\
"""A docstring with @users.action("x") and def in it."""

@users.action(FIND, timeout=3)  # a comment, with (brackets
@other
async def find(query: Query, context: Context, *, repo: dict[str, int] = use(C.repo), bus: "Bus") -> str:
    await bus.call(contracts.GET, Query(query.id))
    return f"({query.id}"

class Inner:
    @users.route("/things/<id>")
    def thing(self, id: str, *args: int, flag: bool = False) -> None: ...

@users.on_start()
async def warm_up() -> None:
    if True:
        pass
x = 1
'''


def only(text: str) -> Header:
    (header,) = Page(text).headers
    return header


def test_handlers_with_their_parameters() -> None:
    page = Page(CODE)
    find, thing, warm_up = page.headers
    assert [(one.name, one.annotation, one.default, one.is_service) for one in find.parameters] == [
        ("query", "Query", "", False),
        ("context", "Context", "", False),
        ("repo", "dict[str, int]", "use(C.repo)", True),
        ("bus", '"Bus"', "", True),
    ]
    assert find.decorator is not None
    assert (find.decorator.owner, find.decorator.kind, find.decorator.first) == ("users", "action", "FIND")
    assert CODE[find.decorator.opening : find.decorator.end] == "(FIND, timeout=3)"
    assert find.star is not None
    assert CODE[find.star :].startswith("*, repo")
    assert (find.is_async, find.is_closed, thing.is_async) == (True, True, False)
    assert CODE[find.closing : find.end].rstrip().endswith('"({query.id}"')
    assert [one.name for one in thing.parameters] == ["self", "id", "flag"]
    assert CODE[: warm_up.end].endswith("pass")
    uses = {use.name: use.call for use in page.uses if use.start > find.closing}
    assert (uses["contracts.GET"], uses["Query"]) == ("call", "call")


@pytest.mark.parametrize(
    ("text", "names", "closed"),
    [
        ('@a.action("x")\nasync def f(q: int, *, re', ["q", "re"], False),
        ('@a.action("x")\nasync def f(q: int, *, repo: Repo,\n\n@a.action("y")\nasync def', ["q", "repo"], False),
        ('@a.action("x")\nasync def f(q: dict[str, *,\n\nclass X: ...', ["q"], False),
        ('@a.action("x"\nasync def f(q: int) -> None: ...', ["q"], True),
        ("@a.on_start\ndef f() -> ", [], True),
        ('@a.action("x")\ndef f(\n    q: int,\n    *,\n    repo: "R", # why\n    bus\n):', ["q", "repo", "bus"], True),
    ],
)
def test_unfinished_code(text: str, names: list[str], *, closed: bool) -> None:
    header = only(text)
    assert [one.name for one in header.parameters] == names
    assert header.is_closed == closed
    assert header.opening < header.closing <= header.end + 1


def test_places_count_the_lines_of_editors() -> None:
    page = Page("a\r\nb\x0c\rc\u2028d\n")
    assert [page.place(page.text.index(letter)) for letter in "abcd"] == [(0, 0), (1, 0), (2, 0), (2, 2)]
    assert page.offset(2, 2) == page.text.index("d")
    assert page.offset(9, 9) == len(page.text)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_edit_is_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(CODE)))
    end = data.draw(st.integers(start, len(CODE)))
    piece = data.draw(st.text(st.sampled_from("()[]{}*@,:='\"\\\n def async\t#é"), max_size=8))
    page = Page(CODE[:start] + piece + CODE[end:])
    for header in page.headers:
        assert 0 <= header.start <= header.name_start < header.opening < header.closing <= len(page.text)
        assert all(header.opening < one.start < one.end <= header.closing for one in header.parameters)
        assert page.header(header.name_start) is not None
    assert all(page.text[use.start] == use.name[0] for use in page.uses)
    for offset in range(0, len(page.text), 7):
        line, column = page.place(offset)
        assert page.offset(line, column) == offset


def test_it_agrees_with_the_parser_of_python() -> None:
    parsed = {
        node.name: [one.arg for one in (*node.args.args, *node.args.kwonlyargs)]
        for node in ast.walk(ast.parse(CODE))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {header.name: [one.name for one in header.parameters] for header in Page(CODE).headers} == parsed


EDITED = '@a.action("x")\nasync def f(q: str, *, repo: Repo) -> None:\n    """Text."""\n    r = f"{q}" + \'\'\n'
PIECES = ['"', '"""', "'", "'''", "''", "\\", "\\\n", "\n", "\r", "\r\n", "#", "(", ")", "x", 'f"', " "]


@pytest.mark.parametrize("seed", range(30))
def test_a_file_has_the_same_tokens_however_it_was_edited(seed: int) -> None:
    chance = random.Random(seed)
    page = Page(EDITED)
    for _ in range(30):
        start = chance.randint(0, len(page.text))
        end = start + chance.choice((0, 0, 1, 4))
        page = Page(page.text[:start] + chance.choice(PIECES) + page.text[end:], page)
        if chance.random() < 0.7:
            assert page.tokens == Page(page.text).tokens


def test_the_tokens_before_an_edit_are_kept() -> None:
    before = Page(EDITED)
    first = before.tokens[0]
    unread = Page(EDITED + "x", before)
    after = Page(EDITED + "xy", unread)
    assert after.tokens[0] is first
    assert after.tokens[-1].text == "xy"
