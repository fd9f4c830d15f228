"""The retry budget of docs/guide.md."""

import asyncio
import time
from collections import deque

import msgspec

from daebus import Daebus
from daebus.errors import Timeout, Unavailable
from daebus.interceptors import Forward, Outgoing


class RetryBudget:
    def __init__(self, percent: float = 20, seconds: float = 10, attempt: float = 2) -> None:
        self.calls, self.retries = deque[float](), deque[float]()
        self.share, self.seconds, self.attempt = percent / 100, seconds, attempt

    def outgoing(self, forward: Forward) -> Forward:
        async def retried(outgoing: Outgoing) -> msgspec.Raw:
            if outgoing.kind != "call" or outgoing.idempotency_key is None:
                return await forward(outgoing)  # it may have run: without a key it could run twice
            self.calls.append(time.monotonic())
            while True:
                attempt = msgspec.structs.replace(outgoing, deadline=self.until(outgoing.deadline))
                try:
                    return await forward(attempt)
                except (Unavailable, Timeout):
                    if outgoing.remaining == 0 or not self.takes():
                        raise
                await asyncio.sleep(0.05)

        return retried

    def until(self, deadline: float | None) -> float:
        end = time.monotonic() + self.attempt
        return end if deadline is None else min(end, deadline)

    def takes(self) -> bool:
        now = time.monotonic()
        for times in (self.calls, self.retries):
            while times and times[0] < now - self.seconds:
                times.popleft()
        if len(self.retries) >= 1 + self.share * len(self.calls):  # one is allowed, however few calls there are
            return False
        self.retries.append(now)
        return True


budget = RetryBudget()
app = Daebus("storefront", interceptors=[budget])
