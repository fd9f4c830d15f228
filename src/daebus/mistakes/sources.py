"""Finds functions, parameters, class attributes and calls in the source text, for messages that point at them.

This code runs only when a message is shown. It never raises: the result is None if something cannot be found.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from types import CodeType
from typing import NamedTuple, TypeAlias

__all__ = [
    "Span",
    "line_at",
    "line_of_class",
    "line_of_typing_import",
    "span_of_attribute",
    "span_of_call",
    "span_of_function",
    "span_of_line",
]

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_Node: TypeAlias = ast.expr | ast.stmt | ast.arg


class Span(NamedTuple):
    """A piece of a source file. Lines and columns (in characters) count from 1; `end_column` is exclusive.

    Attributes:
        opening: The first line of the surrounding function; `line` if there is none.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    opening: int


def line_at(path: str, line: int) -> str:
    """A line of a file, without its line break; empty if there is none."""
    return linecache.getline(path, line).rstrip("\r\n")


def span_of_line(path: str, line: int) -> Span | None:
    """A whole line, without its indentation."""
    text = line_at(path, line)
    bare = text.strip()
    if not bare:
        return None
    column = text.index(bare) + 1
    return Span(path, line, column, line, column + len(bare), line)


def span_of_call(code: CodeType, instruction: int, line: int) -> Span | None:
    """The expression that a piece of code was evaluating; `instruction` is the `f_lasti` of its frame."""
    path = code.co_filename
    position = next(islice(code.co_positions(), instruction // 2, None), None)
    if position is None:
        return span_of_line(path, line)
    first, last, start, end = position
    if first is None or last is None or start is None or end is None:
        return span_of_line(path, line)
    return _span(path, (first, start, last, end), first)


def span_of_function(code: CodeType, part: str | None) -> Span | None:
    """A part of a function's definition.

    Args:
        code: The code of the function.
        part: The name of a parameter, or ``return`` for what it returns; None, or a part that it does not have: its
            own name.
    """
    path, node = code.co_filename, _find_function(code)
    if node is None:
        return None
    if isinstance(node, ast.Lambda):
        return _span_of_node(path, node, node.lineno)
    if part == "return" and node.returns is not None:
        return _span_of_node(path, node.returns, node.lineno)
    found = next((pair for pair in _parameters(node.args) if pair[0].arg == part), None)
    if found is None:
        return _span_of_name(path, node)
    parameter, default = found
    if isinstance(default, ast.Call) and ast.unparse(default.func).rpartition(".")[2] == "use":
        last: _Node = default
    else:
        last = parameter
    return _span_between(path, parameter, last, node.lineno)


def span_of_attribute(path: str, qualified_name: str, attribute: str | None) -> Span | None:
    """The statement that defines a class attribute; for None, or without such a statement, the line of the class."""
    tree = _tree_of(path)
    if tree is None:
        return None
    found = list(_classes(tree, "", qualified_name))
    if not found:
        return None
    owner = found[-1]
    for statement in owner.body:
        if isinstance(statement, _DEFINITIONS) and statement.name == attribute:
            return span_of_line(path, statement.lineno)
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if attribute is not None and any(isinstance(at, ast.Name) and at.id == attribute for at in targets):
            return _span_of_node(path, statement, statement.lineno)
    return span_of_line(path, owner.lineno)


def line_of_class(path: str, qualified_name: str) -> int | None:
    """The line in which a class begins, with its decorators; None if it is not found."""
    tree = _tree_of(path)
    found = [] if tree is None else list(_classes(tree, "", qualified_name))
    return min([found[-1].lineno, *(one.lineno for one in found[-1].decorator_list)]) if found else None


def line_of_typing_import(path: str, name: str) -> int | None:
    """The line on which a file imports a name for type checkers alone: within ``if TYPE_CHECKING:``."""
    tree = _tree_of(path)
    for node in () if tree is None else ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            for statement in node.body:
                aliases = statement.names if isinstance(statement, ast.Import | ast.ImportFrom) else []
                if name in [(one.asname or one.name).partition(".")[0] for one in aliases]:
                    return statement.lineno
    return None


def _tree_of(path: str) -> ast.Module | None:
    text = "".join(linecache.getlines(path))
    try:
        return _parse(text) if text else None
    except (SyntaxError, ValueError, RecursionError):
        return None


@lru_cache(maxsize=8)
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _find_function(code: CodeType) -> _Function | None:
    tree = _tree_of(code.co_filename)
    for node in () if tree is None else ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, name = min([node.lineno, *(one.lineno for one in node.decorator_list)]), node.name
        elif isinstance(node, ast.Lambda):
            first, name = node.lineno, "<lambda>"
        else:
            continue
        if (first, name) == (code.co_firstlineno, code.co_name) and _has_parameters_of(node.args, code):
            return node
    return None


def _has_parameters_of(arguments: ast.arguments, code: CodeType) -> bool:
    """Whether the text still matches the code, as the file may have changed."""
    names = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return tuple(names) == code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _parameters(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """The parameters with their defaults."""
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    yield from zip(positional, [*[None] * without, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for rest in (arguments.vararg, arguments.kwarg):
        if rest is not None:
            yield rest, None


def _classes(node: ast.AST, prefix: str, wanted: str) -> Iterator[ast.ClassDef]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.ClassDef):
            if prefix + child.name == wanted:
                yield child
            inner = f"{prefix}{child.name}."
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{prefix}{child.name}.<locals>."
        yield from _classes(child, inner, wanted)


def _span_of_name(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Span | None:
    text = line_at(path, node.lineno)
    found = re.search(rf"\bdef\s+({re.escape(node.name)})\b", text)
    if found is None:
        return span_of_line(path, node.lineno)
    return Span(path, node.lineno, found.start(1) + 1, node.lineno, found.end(1) + 1, node.lineno)


def _span_of_node(path: str, node: _Node, opening: int) -> Span:
    return _span_between(path, node, node, opening)


def _span_between(path: str, first: _Node, last: _Node, opening: int) -> Span:
    end_line = last.end_lineno or last.lineno
    end = last.col_offset if last.end_col_offset is None else last.end_col_offset
    return _span(path, (first.lineno, first.col_offset, end_line, end), opening)


def _span(path: str, position: tuple[int, int, int, int], opening: int) -> Span:
    line, start, end_line, end = position
    return Span(path, line, _characters(path, line, start) + 1, end_line, _characters(path, end_line, end) + 1, opening)


def _characters(path: str, line: int, offset: int) -> int:
    """Convert an offset in a line from UTF-8 bytes, which the parser counts, to characters."""
    return len(line_at(path, line).encode()[:offset].decode(errors="replace"))
