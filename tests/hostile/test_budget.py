"""A short form of the attack on a service with little memory and few descriptors: `python -m tests.hostile.budget`."""

from __future__ import annotations

from tests.hostile.budget import LEASE, MEMORY, measure


async def test_honest_clients_are_answered_by_a_service_that_is_attacked_at_each_door() -> None:
    _, during = await measure(1, 6)
    assert not during.failures
    assert set(during.seconds) == {"kept connection", "new connection", "WebSocket", "bus"}
    assert all(during.seconds.values())
    assert during.peak < MEMORY
    assert during.longest_beat < LEASE
