"""The first chapter runs."""

from __future__ import annotations

from typing import assert_type

import pytest

from daebus.errors import NotFound
from daebus.telemetry.logs import make_logger
from daebus.testing import running

from .contracts import CreateUser, GetUser, User
from .rule import app, get_user, get_user_explicitly


async def test_handlers_get_from_the_left_and_from_the_right() -> None:
    app.container.config.from_dict({"db": {"url": "memory://rule"}})
    async with running(app) as service:
        added = await app.container.repo().add(CreateUser("ada@example.com", "Ada"))

        by_name = await service.call(get_user, GetUser(added.id))
        explicitly = await service.call(get_user_explicitly, GetUser(added.id))

        assert_type(by_name, User)
        assert by_name == explicitly == added
        with pytest.raises(NotFound, match="User nobody not found"):
            await service.call(get_user, GetUser("nobody"))


async def test_a_handler_is_a_function_that_anyone_can_call() -> None:
    app.container.config.from_dict({"db": {"url": "memory://rule"}})
    async with running(app):
        repo = app.container.repo()
        added = await repo.add(CreateUser("bob@example.com"))

        assert await get_user(GetUser(added.id), repo=repo, logger=make_logger()) == added
