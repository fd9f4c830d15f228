"""Beside the mouse, the language servers of three type checkers show all that the source says of a public name.

`tests/test_docstrings.py` requires that the source says what a name means, its parameters, units, defaults and errors.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.test_docstrings import MADE_BY_USERS, PROVIDERS, docs, ours
from tests.test_surface import OFFERED

import daebus
from daebus import errors, testing

from .lsp import CARET, SERVERS, editing

pytestmark = pytest.mark.skipif(find_spec("basedpyright") is None, reason="needs the dependency group `types`")

# pyrefly shows no documentation of attributes.
OF_ATTRIBUTES = ("basedpyright", "ty")
MODULES = ("daebus", "daebus.errors", "daebus.testing", "daebus.declare.decorated", "daebus.websocket.clients")
BEGINNING = "".join(f"import {name}\n" for name in MODULES)


@cache
def said() -> dict[str, str]:
    """What the source says of each public name, by the code that means it, or that reads it of a value."""
    return dict([*_said_of_names(), *_said_of_attributes()])


def _said_of_names() -> Iterator[tuple[str, str]]:
    for module in (daebus, testing):
        for name in module.__all__:
            text = inspect.getdoc(getattr(module, name))
            if name != "Encodable":  # the name of a union
                assert text is not None, name
                yield f"{module.__name__}.{name}", text
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ServiceError):
            yield f"daebus.errors.{name}", inspect.getdoc(kind) or ""


def _said_of_attributes() -> Iterator[tuple[str, str]]:
    for kind, names in OFFERED.items():
        for name in () if kind in PROVIDERS else names.split():
            nearest = next(found for base in ours(kind) if (found := list(docs(base, name))))
            texts = [text for _, text in nearest if text is not None]
            if texts:
                module = "daebus" if kind.__name__ in daebus.__all__ else kind.__module__
                module = "daebus.testing" if kind.__name__ in testing.__all__ else module
                yield f"{module}.{kind.__name__}().{name}", inspect.cleandoc(texts[0])
            else:
                # Its own docstring has it, or it is the code of an error.
                assert kind in MADE_BY_USERS or issubclass(kind, errors.ServiceError), (kind, name)


def is_attribute(code: str) -> bool:
    """Whether a code reads an attribute, rather than naming a class, a function or a method."""
    kind, _, name = code.partition("().")
    owner = next((one for one in OFFERED if one.__name__ == kind.rpartition(".")[2]), None)
    return owner is not None and bool(name) and not inspect.isfunction(inspect.getattr_static(owner, name, None))


def program(code: str) -> str:
    """A program that has the code, with the caret at its last name."""
    if "()." not in code:
        front, _, last = code.rpartition(".")
        return f"{BEGINNING}print({front}.{CARET}{last})\n"
    kind, _, name = code.partition("().")
    return f"{BEGINNING}def read(value: {kind}) -> None:\n    print(value.{CARET}{name})\n"


def words(text: str) -> str:
    """The words of a text, whatever marks are between them."""
    return " ".join(re.findall(r"\w+", text.replace("\\", "").replace("&nbsp;", " ")))


@pytest.mark.parametrize("server", SERVERS)
def test_all_that_the_source_says_is_shown(server: str, tmp_path: Path) -> None:
    asked = {code: text for code, text in said().items() if server in OF_ATTRIBUTES or not is_attribute(code)}
    missing: list[str] = []
    with editing(tmp_path, server=server) as editor:
        for code, text in asked.items():
            shown = words(editor.show(tmp_path / "program.py", program(code)).hover())
            if words(text) not in shown:
                missing.append(f"{code}: {shown[:300]}")
    assert len(asked) > 120
    assert missing == []
