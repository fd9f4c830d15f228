"""The options that are completed are those of the decorators."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator

import pytest

from daebus.declare.recorder import Recorder
from daebus.lsp.features.options import OPTIONS
from daebus.lsp.options import Options, read_options


def options_of(kind: str) -> Iterator[str]:
    """The options of a decorator, by its signature."""
    method = getattr(Recorder, kind)
    hints = typing.get_type_hints(method)
    _, *parameters = inspect.signature(method).parameters.values()
    for number, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_KEYWORD:
            for typed in typing.get_args(hints[parameter.name]):
                yield from typing.get_type_hints(typed)
        elif parameter.kind is parameter.KEYWORD_ONLY or (number and parameter.kind is not parameter.VAR_POSITIONAL):
            yield parameter.name


@pytest.mark.parametrize("kind", OPTIONS)
def test_each_option_of_a_decorator_is_completed(kind: str) -> None:
    assert set(options_of(kind)) == OPTIONS[kind].keys()


def test_each_decorator_has_its_options() -> None:
    kinds = {name for name in dir(Recorder) if inspect.isfunction(getattr(Recorder, name)) and not name.startswith("_")}
    assert kinds == OPTIONS.keys()


def test_options_of_the_server_are_those_that_are_given_and_valid() -> None:
    assert read_options({"seconds": 3, "unknown": 1}) == Options(seconds=3)
    assert read_options(None) == read_options({"seconds": "long"}) == Options()
