"""Random edits: the server stays alive, and afterwards knows what a fresh one would know."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from tests.lsp.editor import editing
from tests.lsp.edits import Example, examples, play
from tests.lsp.workspace import make_workspace


async def compare(folder: Path, example: Example) -> None:
    make_workspace(folder)
    async with editing(folder) as editor:
        await play(editor, example)


@settings(max_examples=2, deadline=None)
@given(examples(100))
def test_random_edits_leave_it_right_and_alive(example: Example) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder).resolve(), example))
