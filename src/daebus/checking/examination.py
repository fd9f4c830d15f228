"""The examination of a target: the app is imported and compiled, and all its mistakes are found."""

from __future__ import annotations

import msgspec

from daebus.app.assembly import Assembly
from daebus.app.checks import find_uncomposable
from daebus.app.running.web import Web
from daebus.declare.deferring import deferring
from daebus.errors import DaebusError, WiringError
from daebus.mistakes.problem import WiringProblem

from .targets import load_target

__all__ = ["Examined", "examine"]


class Examined(msgspec.Struct, frozen=True):
    """What is known of an app after its examination.

    Attributes:
        made: The app as far as it could be compiled; None: there is no app, as its module could not be imported.
        problems: All the wiring mistakes.
        failure: The error that ended the examination early; None: it went to its end.
    """

    made: Assembly | None
    problems: tuple[WiringProblem, ...] = ()
    failure: DaebusError | None = None

    def require(self) -> Assembly:
        """The app without mistakes.

        Raises:
            WiringError: With all the mistakes.
            DaebusError: The error that ended the examination.
        """
        if self.problems:
            raise WiringError(*self.problems)
        if self.failure is not None:
            raise self.failure
        assert self.made is not None  # noqa: S101  # else there is a failure
        return self.made


def examine(target: str, service: str | None = None) -> Examined:
    """Import and compile the app of a target, including Litestar's check of its routes; nothing is started.

    The interceptors are called as at the start.

    Args:
        target: The target, as for `load_target`.
        service: The name under which it is served; None: the one that the app sets.
    """
    problems: list[WiringProblem] = []
    try:
        with deferring() as deferred:
            made, found = load_target(target).examine(service)
            problems = [*deferred.take(), *found]
    except WiringError as error:
        return Examined(None, error.problems)
    except DaebusError as error:
        return Examined(None, (), error)
    problems.extend(_find_at_start(made))
    return Examined(made, tuple(problems))


def _find_at_start(made: Assembly) -> list[WiringProblem]:
    problems: list[WiringProblem] = []
    if made.http is not None or made.websocket is not None:
        try:
            Web(made)
        except WiringError as error:
            problems.extend(error.problems)
    endpoints = [endpoint for _, endpoint in made.plans.compiled()]
    return [*problems, *find_uncomposable(endpoints, made.interceptors)]
