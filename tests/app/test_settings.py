"""Settings are frozen structs: each default in one place, and no constructor with more than eight parameters."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

import daebus
from daebus import BlockingBus, Bus, BusLimits, Daebus, HttpLimits, Settings, WebSocketLimits, WiringError

MOST = 8
SOURCE = Path(daebus.__file__).parent


def constructors() -> Iterator[tuple[str, int]]:
    """Each constructor that is written by hand, and how many parameters it has besides `self`."""
    for path in sorted(SOURCE.rglob("*.py")):
        for owner in ast.walk(ast.parse(path.read_text())):
            if not isinstance(owner, ast.ClassDef):
                continue
            for method in owner.body:
                if isinstance(method, ast.FunctionDef) and method.name in ("__init__", "__new__"):
                    given = method.args
                    names = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
                    yield f"{path.relative_to(SOURCE)}: {owner.name}", len([name for name in names if name]) - 1


def test_no_constructor_takes_more_than_eight_parameters() -> None:
    found = dict(constructors())
    assert "app/service.py: Daebus" in found
    assert {name: number for name, number in found.items() if number > MOST} == {}


def test_the_blocking_bus_takes_what_the_bus_takes() -> None:
    assert inspect.signature(BlockingBus) == inspect.signature(Bus)


@pytest.mark.parametrize("kind", [Settings, BusLimits, HttpLimits, WebSocketLimits])
def test_settings_cannot_be_changed_and_explain_each_field(kind: type) -> None:
    settings = kind()
    assert settings == kind()
    for name in [field.name for field in msgspec.structs.fields(kind)]:
        assert f"        {name}: " in (kind.__doc__ or "")
        with pytest.raises(AttributeError, match="immutable"):
            setattr(settings, name, None)


def test_an_app_without_settings_has_the_defaults() -> None:
    checked = Daebus("plain").check(may_idle=True)
    assert checked.settings == Settings()
    own = Settings(lease=3, limits=BusLimits(max_streams=5))
    assert Daebus("own", settings=own).check(may_idle=True).settings is own


@pytest.mark.parametrize(
    ("make", "subject", "told"),
    [
        (lambda: cast("Any", Settings)(stop_timout=1), "Settings(...)", "did you mean 'stop_timeout'?"),
        (lambda: cast("Any", Settings)(zebra=1), "Settings(...)", "the options are max_concurrency, max_workers"),
        (
            lambda: cast("Any", Daebus)("shop", stop_timeout=1),
            "Daebus(...)",
            "it is an option of Settings: write Daebus(..., settings=Settings(stop_timeout=...))",
        ),
        (
            lambda: cast("Any", Settings)(max_reply_size=1),
            "Settings(...)",
            "it is an option of BusLimits: write Settings(limits=BusLimits(max_reply_size=...))",
        ),
        (
            lambda: cast("Any", Daebus)("shop", ping_interval=1),
            "Daebus(...)",
            "it is an option of DaebusWebSocket: write app.attach(DaebusWebSocket(ping_interval=...))",
        ),
        (lambda: cast("Any", Daebus)("shop", contianer=None), "Daebus(...)", "did you mean 'container'?"),
    ],
)
def test_an_option_that_does_not_exist_is_told_with_its_right_name_or_place(
    make: Callable[[], object], subject: str, told: str
) -> None:
    with pytest.raises(WiringError) as refused:
        make()
    (problem,) = refused.value.problems
    assert (problem.code, problem.subject) == ("unknown-option", subject)
    assert problem.remedy.startswith(told)
    assert problem.where.startswith("tests/app/test_settings.py:")
    assert repr(refused.value) == f"WiringError({f'{problem.where}: {problem.message}'!r})"
