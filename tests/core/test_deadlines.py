"""Deadlines: what is late is told, by one timer for all."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.support import until

from daebus.core.deadlines import NEVER, Deadlines, in_time
from daebus.errors import Timeout


class _Item:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired: float | None = None

    def expire(self) -> None:
        self.expired = time.monotonic()


async def test_each_that_is_late_is_told_once_its_time_has_come() -> None:
    now, deadlines = time.monotonic(), Deadlines[_Item, _Item]()
    items = [_Item(now + seconds) for seconds in (0.2, 0.05, 0.1, NEVER, 0.0)]
    for item in items:
        deadlines.add(item, item)
    await until(lambda: sum(item.expired is not None for item in items) == 4)
    assert all(item.expired is None or item.expired >= item.deadline for item in items)
    assert list(deadlines) == [items[3]]


async def test_what_is_removed_is_not_told() -> None:
    deadlines = Deadlines[_Item, _Item]()
    first, second = _Item(time.monotonic() + 0.02), _Item(time.monotonic() + 0.04)
    deadlines.add(first, first)
    deadlines.add(second, second)
    deadlines.pop(first)
    await until(lambda: second.expired is not None)
    assert first.expired is None


async def test_a_deadline_may_move() -> None:
    item, deadlines = _Item(time.monotonic() + 0.02), Deadlines[_Item, _Item]()
    deadlines.add(item, item)
    item.deadline = moved = time.monotonic() + 0.2
    await until(lambda: item.expired is not None)
    assert item.expired is not None
    assert item.expired >= moved


async def test_a_function_that_takes_too_long_is_cancelled_and_the_error_names_it() -> None:
    cancelled: list[str] = []

    async def hang(message: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(message)

    with pytest.raises(Timeout, match=r"^action hang did not finish in 0\.02 s$"):
        await in_time(hang, "hello", "action hang", 0.02)
    assert cancelled == ["hello"]


async def test_the_margin_is_not_mentioned() -> None:
    begun = time.monotonic()
    with pytest.raises(Timeout, match=r"did not finish in 0\.01 s$"):
        await in_time(asyncio.sleep, 60.0, "action hang", 0.01, margin=0.05)
    assert time.monotonic() >= begun + 0.06


async def test_a_timeout_of_the_function_itself_is_passed_on() -> None:
    async def fail(message: str) -> str:
        raise TimeoutError(message)

    async def answer(message: str) -> str:
        return message

    with pytest.raises(TimeoutError, match="its own"):
        await in_time(fail, "its own", "action fail", 60)
    assert await in_time(answer, "hello", "action answer", 60) == "hello"
