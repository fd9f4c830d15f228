"""What the source says of every public name where the mouse is: below each attribute, in each method, on each error."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.test_surface import OFFERED

from daebus import (
    BlockingBus,
    BlockingClients,
    BlockingRooms,
    Bus,
    BusLimits,
    Clients,
    DaebusHttp,
    DaebusWebSocket,
    HttpLimits,
    Identity,
    PerMessage,
    Rooms,
    Settings,
    SigningKeys,
    WebSocketLimits,
    errors,
    testing,
)
from daebus.declare.paths import RouteOptions
from daebus.declare.policies import ActionOptions, ListenOptions, RetryOptions, RunOptions, StreamOptions, TaskOptions

# Their attributes are their arguments, which their own docstring explains: signature help shows it.
MADE_BY_USERS = (BusLimits, DaebusHttp, DaebusWebSocket, HttpLimits, Settings, SigningKeys, WebSocketLimits)
# Providers of dependency-injector, whose attributes are not for handlers.
PROVIDERS = (Identity, PerMessage)
# Keyword arguments of a `TypedDict`, each of which says itself what it is.
UNPACKED = {"options"}
HIDDEN = {"self", "cls"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: str) -> ast.Module:
    return ast.parse(Path(path).read_text())


def source(kind: type) -> ast.ClassDef:
    """The source of a class; that of one that a decorator or brackets made is the one that it was made of."""
    file = inspect.getsourcefile(kind)
    assert file is not None
    return next(
        node for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )


def bodies(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The statements of a class, of its constructor and of ``if TYPE_CHECKING``."""
    yield body
    for statement in body:
        if isinstance(statement, ast.If) or (isinstance(statement, ast.FunctionDef) and statement.name == "__init__"):
            yield from bodies(statement.body)


def docs(kind: type, name: str) -> Iterator[tuple[ast.stmt, str | None]]:
    """Each definition of a name in a class, with the text that an editor shows."""
    for body in bodies(source(kind).body):
        for statement, after in zip(body, [*body[1:], None], strict=True):
            if isinstance(statement, Function) and statement.name == name:
                yield statement, ast.get_docstring(statement)
            elif name in targets(statement):
                text = after.value if isinstance(after, ast.Expr) else None
                is_text = isinstance(text, ast.Constant) and isinstance(text.value, str)
                yield statement, str(text.value) if isinstance(text, ast.Constant) and is_text else None


def targets(statement: ast.stmt) -> set[str]:
    found = statement.targets if isinstance(statement, ast.Assign) else []
    found = [statement.target] if isinstance(statement, ast.AnnAssign) else found
    return {
        one.id if isinstance(one, ast.Name) else one.attr for one in found if isinstance(one, ast.Name | ast.Attribute)
    }


def parameters(function: Function) -> set[str]:
    given = function.args
    starred = [one for one in (given.vararg, given.kwarg) if one is not None]
    return {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, *starred)} - HIDDEN


def ours(kind: type) -> Iterator[type]:
    return (base for base in kind.__mro__ if base.__module__.partition(".")[0] == "daebus")


@pytest.mark.parametrize("kind", [kind for kind in OFFERED if kind not in PROVIDERS], ids=lambda kind: kind.__name__)
def test_each_attribute_and_method_says_what_it_is(kind: type) -> None:
    for name in OFFERED[kind].split():
        if kind in MADE_BY_USERS and f"    {name}: " in (kind.__doc__ or ""):
            continue
        found = [one for base in ours(kind) for one in docs(base, name)]
        text = next((text for _, text in found if text is not None), None)
        assert text, name
        functions = [one for one, said in found if isinstance(one, Function) and said is not None]
        missing = {one for one in parameters(functions[0]) if f"{one}: " not in text} if functions else set[str]()
        assert missing <= UNPACKED, name


TWINS = [
    (blocking, twin, name)
    for blocking, twin in ((BlockingBus, Bus), (BlockingClients, Clients), (BlockingRooms, Rooms))
    for name in OFFERED[blocking].split()
]


@pytest.mark.parametrize(("blocking", "twin", "name"), TWINS)
def test_a_blocking_twin_says_what_the_other_says(blocking: type, twin: type, name: str) -> None:
    assert inspect.getdoc(getattr(blocking, name)) == inspect.getdoc(getattr(twin, name))


def test_the_blocking_bus_says_what_it_takes_and_raises() -> None:
    ours, theirs = inspect.getdoc(BlockingBus), inspect.getdoc(Bus)
    assert ours is not None
    assert theirs is not None
    assert ours[ours.index("Args:") :] == theirs[theirs.index("Args:") :]


@pytest.mark.parametrize(
    "options", [RunOptions, TaskOptions, RetryOptions, ActionOptions, StreamOptions, ListenOptions, RouteOptions]
)
def test_each_option_of_a_decorator_says_what_it_is(options: type) -> None:
    names = [name for statement in source(options).body for name in targets(statement)]
    assert names
    for name in names:
        assert all(text for _, text in docs(options, name)), name


def test_each_error_says_its_code_and_its_status() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.ServiceError)]
    assert len(kinds) > 10
    for kind in kinds:
        if kind is not errors.ServiceError:
            assert f"Code ``{kind.code}``, HTTP status {kind.status}." in (kind.__doc__ or ""), kind
            assert "\n" not in str(kind())


def test_the_tests_of_users_can_name_all_types_that_they_get() -> None:
    for kind in (testing.RunningService, testing.Socket):
        for name in OFFERED[kind].split():
            method = getattr(kind, name, None)
            if inspect.isfunction(method):
                returned = typing.get_type_hints(method).get("return")
                parts = [returned, *typing.get_args(returned)]
                named = [part for part in parts if isinstance(part, type) and part.__module__.startswith("daebus.")]
                assert [part for part in named if part.__name__ not in testing.__all__] == [], name
