"""The guide's component is open while the service runs."""

from __future__ import annotations

import httpx
import pytest

from daebus import Action
from daebus.testing import running

from .metrics import app, metrics

SELL = Action[str, int]("sell", service="shop")


async def test_the_numbers_are_read_while_the_service_runs() -> None:
    metrics.port = 0  # any free one
    async with running(app) as service, httpx.AsyncClient() as client:
        assert await service.call(SELL, "tea") == 1
        assert await service.call(SELL, "tea") == 2
        url = f"http://127.0.0.1:{metrics.port}/metrics"
        assert (await client.get(url)).text == 'sold{service="shop",what="tea"} 2\n'
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
