"""Observers are told how each message has ended, and change nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar, cast

import pytest
from tests.support import until

from daebus import Action, Blueprint, Channel, Daebus, DaebusHttp, StreamAction, WiringError
from daebus.errors import BadRequest, Forbidden, Timeout
from daebus.interceptors import AnyInterceptor, Endpoint, Handle, Incoming, Observe
from daebus.testing import running

R = TypeVar("R")

DOUBLE = Action[int, int]("double", service="shop")
SILENT = Action[None, None]("silent", service="shop")
CLOSED = Action[None, None]("closed", service="shop")
SLOW = Action[None, None]("slow", service="shop")
COUNT = StreamAction[int, int]("count", service="shop")
ORDERS = Channel[str]("orders")


class Ends:
    """Notes the ends of messages: the handler, and its reply or error."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.seconds: list[float] = []

    def observing(self, endpoint: Endpoint[object]) -> Observe | None:
        if endpoint.title.endswith("silent"):
            return None

        def observe(incoming: Incoming, reply: object, error: BaseException | None, seconds: float) -> None:
            assert incoming.context.handler == endpoint.title
            self.seen.append((endpoint.title, repr(reply) if error is None else type(error).__name__))
            self.seconds.append(seconds)

        return observe


def refuse(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
    async def refused(_: Incoming) -> R:
        raise Forbidden

    return refused if endpoint.title.endswith("closed") else handle


def app_with(*interceptors: AnyInterceptor, own: AnyInterceptor) -> Daebus:
    app = Daebus("shop", interceptors=interceptors)
    app.attach(DaebusHttp(port=0))
    shop = Blueprint("shop", interceptors=[own])

    @shop.action(DOUBLE)
    async def double(number: int) -> int:
        return number * 2

    @shop.action(SILENT)
    async def silent() -> None: ...

    @shop.action(CLOSED)
    async def closed() -> None: ...

    @shop.action(SLOW, timeout=0.05)
    async def slow() -> None:
        await until(lambda: False)

    @shop.listen(ORDERS)
    def on_order(event: str) -> None:
        raise ValueError(event)

    @shop.route("/orders")
    async def orders() -> int:
        raise BadRequest

    app.register_blueprint(shop)
    return app


async def test_each_end_is_told_with_all_interceptors_around_the_message() -> None:
    ends, inner = Ends(), Ends()
    async with running(app_with(ends, refuse, own=inner)) as service:
        assert await service.bus.call(DOUBLE, 4) == 8
        await service.bus.call(SILENT)
        with pytest.raises(Forbidden):
            await service.bus.call(CLOSED)
        with pytest.raises(Timeout):
            await service.bus.call(SLOW)
        await service.bus.publish(ORDERS, "book")
        assert (await service.http.get("/orders")).status_code == 400
        await until(lambda: len(ends.seen) == 5)
    assert sorted(ends.seen) == [
        ("action closed", "Forbidden"),
        ("action double", "b'8'"),
        ("action slow", "CancelledError"),
        ("listen orders", "ValueError"),
        ("route GET /orders", "BadRequest"),
    ]
    assert inner.seen == ends.seen
    assert all(0 <= seconds < 30 for seconds in ends.seconds)
    assert ends.seconds[ends.seen.index(("action slow", "CancelledError"))] >= 0.04


async def test_an_observer_that_raises_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def observing(self, endpoint: Endpoint[object]) -> Observe:
            def observe(incoming: Incoming, reply: object, error: BaseException | None, seconds: float) -> None:
                raise RuntimeError(endpoint.title)

            return observe

    ends = Ends()
    async with running(app_with(Broken(), own=ends)) as service:
        assert await service.bus.call(DOUBLE, 4) == 8
        assert (await service.http.get("/orders")).status_code == 400
    assert ("action double", "b'8'") in ends.seen
    assert "observer failed" in capsys.readouterr().err


def test_an_observer_takes_the_endpoint() -> None:
    class Wrong:
        def observing(self, endpoint: object, handle: object) -> None: ...

    with pytest.raises(WiringError, match="its method `observing` does not take one argument, the endpoint"):
        Daebus("shop", interceptors=[cast("AnyInterceptor", Wrong())])


async def test_an_observer_returns_a_function() -> None:
    class Wrong:
        def observing(self, endpoint: Endpoint[object]) -> Observe:
            return cast("Observe", 3)

    with pytest.raises(WiringError, match="returned 3, which cannot be called after a message"):
        async with running(app_with(own=Wrong())):
            raise NotImplementedError


def test_an_observer_must_see_streams() -> None:
    app = Daebus("shop", interceptors=[Ends()])
    streaming = Blueprint("streaming")

    @streaming.action(COUNT)
    async def count(limit: int) -> AsyncIterator[int]:
        yield limit

    with pytest.raises(WiringError, match="write it as a class with `observing` and `stream`"):
        app.register_blueprint(streaming)
