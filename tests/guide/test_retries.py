"""What docs/guide.md promises of the retry budget."""

import time

import pytest
from tests.guide.retries import RetryBudget

from daebus import Action, Bus, Context, Daebus
from daebus.errors import Timeout, Unavailable
from daebus.testing import private_redis_url, running

CHARGE = Action[int, int]("charge", service="cards")


def cards(failures: int, runs: list[float]) -> Daebus:
    app = Daebus("cards")

    @app.action(CHARGE)
    async def charge(amount: int, context: Context) -> int:
        runs.append(time.monotonic())
        if len(runs) <= failures:
            raise Unavailable("the bank is away")
        return amount

    return app


async def test_a_call_with_a_key_is_made_again_while_the_budget_lasts() -> None:
    runs: list[float] = []
    budget = RetryBudget(percent=200)
    async with running(cards(2, runs)), Bus(private_redis_url(), interceptors=[budget]) as bus:
        assert await bus.call(CHARGE, 5, idempotency_key="order-1") == 5
    assert (len(runs), len(budget.retries)) == (3, 2)


async def test_one_without_a_key_is_not() -> None:
    runs: list[float] = []
    async with running(cards(1, runs)), Bus(private_redis_url(), interceptors=[RetryBudget()]) as bus:
        with pytest.raises(Unavailable, match="the bank is away"):
            await bus.call(CHARGE, 5)
    assert len(runs) == 1


async def test_no_more_than_the_share_of_the_calls_is_made_again() -> None:
    runs: list[float] = []
    budget = RetryBudget(percent=10, seconds=60)
    async with running(cards(1_000, runs)), Bus(private_redis_url(), interceptors=[budget]) as bus:
        for number in range(50):
            with pytest.raises(Unavailable):
                await bus.call(CHARGE, 5, idempotency_key=f"share-{number}")
    assert len(runs) == 50 + 6


async def test_none_is_made_after_the_deadline() -> None:
    budget = RetryBudget(percent=10_000, attempt=0.1)
    app, runs = Daebus("cards"), list[float]()

    @app.action(CHARGE, timeout=0.01)
    async def charge(amount: int) -> int:
        runs.append(time.monotonic())
        raise Unavailable("the bank is away")

    async with running(app), Bus(private_redis_url(), interceptors=[budget]) as bus:
        begun = time.monotonic()
        with pytest.raises((Unavailable, Timeout)):
            await bus.call(CHARGE, 5, timeout=0.3, idempotency_key="late-1")
        assert time.monotonic() - begun >= 0.25
    assert len(runs) > 1
