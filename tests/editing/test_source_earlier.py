"""A file that was edited is read from the edit on, and is the same as one that is read wholly."""

from __future__ import annotations

import random

from daebus.editing.syntax import Page

PIECES = [
    *(
        '"',
        '"""',
        "'",
        "'''",
        "f",
        "a",
        " ",
        "\n",
        "\r",
        "\r\n",
        "#",
        "\\",
        "(",
        ")",
        "*",
        "->",
        "@",
        ",",
        ":",
        "\n    ",
    ),
    "@app.action(GET)\n",
    "async def f(a: int, *, repo: Repo = use(C.x)) -> None:\n    return 1\n",
    "class A:\n    @users.route('/<id>')\n    def g(self, id): ...\n",
    "@outer.thread\ndef h(*, x):\n    @inner.task\n    def k(): ...\n",
]


def test_an_edited_file_is_the_same_as_one_that_is_read_wholly() -> None:
    chance = random.Random(7)
    for _ in range(150):
        text = "".join(chance.choices(PIECES, k=chance.randrange(40)))
        page = Page(text)
        for _ in range(8):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(["", *PIECES]) + text[at + chance.choice([0, 0, 1, 4]) :]
            edited, whole = Page(text, page), Page(text)
            if chance.random() < 0.8:
                assert edited.headers == whole.headers, text
            if chance.random() < 0.9:
                assert edited.tokens == whole.tokens, text
            page = edited


def test_what_is_before_an_edit_is_not_read_again() -> None:
    text = "@app.action(GET)\nasync def f(a: int) -> None: ...\n\n" * 50
    page = Page(text)
    first = page.headers[0]
    edited = Page(text + "# more", page)
    assert edited.headers[0] is first
    assert edited.kept > len(page.tokens) - 5


def test_a_line_break_that_is_completed_behind_a_backslash_joins_the_lines() -> None:
    page = Page("a \\\r")
    assert [token.text for token in page.tokens] == ["a", "\\", "\r"]
    assert [token.text for token in Page("a \\\r\nb", page).tokens] == ["a", "b"]
