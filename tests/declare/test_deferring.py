"""Mistakes of declarations: while they are deferred, one of them hides no other, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from daebus import Action, Blueprint, Channel, Daebus, DaebusHttp, Settings, WiringError
from daebus.declare.deferring import deferring
from daebus.errors import ConfigurationError


class Repo: ...


def codes(wrong: Callable[[], object]) -> list[str]:
    with pytest.raises(WiringError) as caught:
        wrong()
    return [problem.code for problem in caught.value.problems]


def declare() -> Daebus:
    """An app with a mistake in each declaration."""
    Action[str, str]("two words")
    Channel[str]("daebus:own", durable=True, retention=0)
    cast("Any", Action)("untyped")
    users = Blueprint("users", prefix="users", interceptors=cast("Any", "none"))

    @users.action("get", concurrency=0)  # type: ignore[daebus-value]
    async def get(name: str) -> str:
        return name

    @cast("Any", users).on_start  # type: ignore[untyped-decorator]
    async def warm_up() -> None: ...

    @users.action("find", timeout=-1)  # type: ignore[daebus-value]
    @users.background("clean", -1)  # type: ignore[daebus-value]
    async def clean() -> None: ...

    @cast("Any", users.action("own"))
    class Own: ...

    @users.action("right")
    async def right(*, nobody: Repo) -> str:  # type: ignore[daebus-wiring]
        return str(nobody)

    app = Daebus("shop", settings=cast("Any", 3), service="two words")
    app.attach(DaebusHttp())
    app.attach(DaebusHttp())  # type: ignore[daebus-duplicate]
    app.register_blueprint(cast("Any", "users"))
    app.register_blueprint(users)
    return app


DECLARED = [
    *("wrong-name", "reserved-name", "untyped-contract", "malformed-path", "wrong-interceptor"),
    *("wrong-option", "wrong-name", "wrong-schedule", "wrong-option", "not-a-function"),
    *("wrong-option", "wrong-name", "duplicate-component"),
]
OF_THE_APP = ["wrong-component", "unknown-service", "wrong-name"]


def test_each_mistake_is_kept_and_the_declarations_go_on() -> None:
    with deferring() as deferred:
        app = declare()
        assert sorted(problem.code for problem in deferred.take()) == sorted(DECLARED)
    assert codes(app.check) == OF_THE_APP


def test_mistakes_that_nobody_takes_are_raised_at_the_end() -> None:
    def load() -> None:
        with deferring():
            declare()

    def check() -> None:
        with deferring():
            declare().check()

    assert sorted(codes(load)) == sorted(DECLARED)
    assert sorted(codes(check)) == sorted([*DECLARED, *OF_THE_APP])


def test_an_error_that_follows_from_a_mistake_gives_way_to_it() -> None:
    def fail() -> None:
        with deferring():
            Action[str, str]("two words")
            raise ConfigurationError("a consequence")

    assert codes(fail) == ["wrong-name"]
    with pytest.raises(ConfigurationError), deferring():
        raise ConfigurationError("no consequence")


def test_without_deferring_the_first_mistake_is_raised() -> None:
    assert codes(declare) == ["wrong-name"]
    assert codes(lambda: Daebus("shop", settings=cast("Settings", 3))) == ["wrong-option"]
