"""A client as a process: a steady mixed load, and what came of each operation."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence

from daebus import Bus
from daebus.errors import NoSuchAction, NoSuchService, ServiceError, TooManyRequests

from .records import Recorder, recorder_of_process
from .service import CALL, EVENTS, STREAM, THREAD, WORK, Work

_REFUSALS = (NoSuchService, NoSuchAction, TooManyRequests)
_TIMEOUT = 8.0
_TICK = 0.01
_SECONDS = (0.02, 0.1, 0.5)
_LONG = 0.05
_MAY_BE_LONG = {"send": 1.0, "event": 1.0, "call": 0.4, "keyed": 0.4, "stream": 0.4}
"""The share of long work, and how long it is for each kind: calls must end before their timeout."""

_FOR_EVER = 1_000_000


class _Client:
    def __init__(self, bus: Bus, recorder: Recorder, kinds: Sequence[str], seed: int, longest: float) -> None:
        self._longest = longest
        self._bus = bus
        self._recorder = recorder
        self._kinds = kinds
        self._rng = random.Random(seed)
        self._numbers = itertools.count(1)
        self._recent: list[Work] = []
        self._do: dict[str, Callable[[Work], Awaitable[str | None]]] = {
            "send": lambda work: bus.send(WORK, work),
            "event": lambda work: bus.publish(EVENTS, work),
            "call": lambda work: bus.call(CALL, work, timeout=_TIMEOUT),
            "keyed": lambda work: bus.call(CALL, work, timeout=_TIMEOUT, idempotency_key=work.subject),
            "stream": self._stream,
            "thread": lambda work: bus.send(THREAD, work),
            "flaky": lambda work: bus.send(WORK, work),
            "doomed": lambda work: bus.send(WORK, work),
        }

    async def go_on(self, rate: float, seconds: float) -> None:
        """Begin operations at a steady rate."""
        began, due = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while (passed := time.monotonic() - began) < seconds:
                while due < passed * rate:
                    due += 1
                    tasks.create_task(self._operate(self._rng.choice(self._kinds)))
                await asyncio.sleep(_TICK)

    async def _operate(self, kind: str) -> None:
        id_ = f"{self._recorder.process}-{kind}-{next(self._numbers)}"
        work = self._work(kind, id_)
        self._recorder.add("invoke", id_, subject=work.subject, kind=kind)
        try:
            value = await self._do[kind](work)
        except _REFUSALS as error:
            self._recorder.add("fail", id_, code=error.code)
        except ServiceError as error:
            self._recorder.add("unknown", id_, code=error.code, value=str(error))
        else:
            self._recorder.add("ok", id_, value=value or "")

    def _work(self, kind: str, id_: str) -> Work:
        seconds = self._rng.choice(_SECONDS)
        if self._rng.random() < _LONG and kind in _MAY_BE_LONG:
            seconds = self._longest * _MAY_BE_LONG[kind]
        work = Work(id_, seconds, {"flaky": 1, "doomed": _FOR_EVER}.get(kind, 0))
        if kind == "keyed":
            if self._recent and self._rng.random() < 0.5:
                return self._rng.choice(self._recent)
            self._recent = [*self._recent[-9:], work]
        return work

    async def _stream(self, work: Work) -> str:
        items = [item async for item in self._bus.stream(STREAM, work, timeout=_TIMEOUT)]
        return items[0] if len(items) == 5 and len(set(items)) == 1 else f"wrong items: {items}"


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--longest", type=float, required=True)
    options = parser.parse_args()
    async with Bus(options.url) as bus:
        client = _Client(bus, recorder_of_process(), options.kinds.split(","), options.seed, options.longest)
        await client.go_on(options.rate, options.seconds)


if __name__ == "__main__":
    asyncio.run(_main())
