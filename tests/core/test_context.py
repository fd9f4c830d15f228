from __future__ import annotations

import asyncio
import time
from contextvars import copy_context

import pytest

from daebus.core.context import Context, current_context, remaining


def context(deadline: float | None = None) -> Context:
    return Context(request_id="r1", service="users", handler="action get_user", deadline=deadline)


def test_without_a_deadline_there_is_no_remaining_time() -> None:
    assert context().remaining is None


def test_the_remaining_time_is_counted_down_to_the_deadline() -> None:
    left = context(time.monotonic() + 5).remaining
    assert left is not None
    assert 4 < left <= 5


def test_the_remaining_time_is_never_negative() -> None:
    assert context(time.monotonic() - 5).remaining == 0.0


def test_outside_of_a_handler_nothing_is_remaining() -> None:
    assert current_context.get() is None
    assert remaining() is None


def test_inside_of_a_handler_its_time_is_remaining() -> None:
    def handler() -> None:
        current_context.set(context())
        assert remaining() is None
        current_context.set(context(time.monotonic() + 5))
        left = remaining()
        assert left is not None
        assert 4 < left <= 5

    copy_context().run(handler)


async def test_tasks_that_a_handler_starts_see_its_context() -> None:
    async def nested() -> str | None:
        known = current_context.get()
        return None if known is None else known.request_id

    async def handler() -> str | None:
        current_context.set(context())
        return await asyncio.create_task(nested())

    assert await asyncio.create_task(handler()) == "r1"
    assert current_context.get() is None


def test_a_context_never_changes() -> None:
    with pytest.raises(AttributeError):
        context().request_id = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
