"""Metrics for OpenTelemetry: `OpenTelemetryMetrics`, which users import from `daebus.interceptors.opentelemetry`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Histogram, MeterProvider, Observation, get_meter
from typing_extensions import override

from daebus.telemetry.histograms import BUCKETS

from .measuring import Measuring, Record
from .operations import DELAY, DURATIONS
from .vitals import METRICS, Metric, Reader, Reading

if TYPE_CHECKING:
    from daebus.app.component import ServiceRun

__all__ = ["OpenTelemetryMetrics"]

_SAME_EXPORT_SECONDS = 0.5


class OpenTelemetryMetrics(Measuring):
    """An interceptor that counts and measures messages with the metrics of OpenTelemetry.

    Args:
        meter_provider: Makes the instruments; default: the global one.
        queues: Whether the lengths and ages of the queues are measured, too, for which each export asks Redis.
    """

    def __init__(self, *, meter_provider: MeterProvider | None = None, queues: bool = True) -> None:
        self._meter = get_meter("daebus", meter_provider=meter_provider)
        self._reader = Reader(queues=queues)
        self._histograms: dict[str, Histogram] = {}
        self._readings: Sequence[Reading] = ()
        self._read_at = float("-inf")
        for metric in METRICS.values():
            self._observe(metric)

    @override
    def recorder(self, metric: str, attributes: Mapping[str, str]) -> Record:
        histogram = self._histograms.get(metric)
        if histogram is None:
            about = DURATIONS[metric]
            made = self._meter.create_histogram(metric, "s", about, explicit_bucket_boundaries_advisory=BUCKETS)
            histogram = self._histograms[metric] = made
        return partial(histogram.record, attributes=attributes)

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        """Follow a run of the service."""
        with self._reader.following(run, lambda task, seconds: self.recorder(DELAY, {"daebus.task": task})(seconds)):
            yield

    def _observe(self, metric: Metric) -> None:
        callbacks = [self._observing(metric)]
        unit = metric.unit or "1"
        if metric.kind == "counter":
            self._meter.create_observable_counter(metric.name, callbacks, unit, metric.about)
        else:
            self._meter.create_observable_gauge(metric.name, callbacks, unit, metric.about)

    def _observing(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            readings = [one for one in self._read() if one.metric == metric.name]
            return [Observation(one.value, one.attributes) for one in readings]

        return observe

    def _read(self) -> Sequence[Reading]:
        """What was read last, if that was for the same export: each of its metrics asks."""
        now = time.monotonic()
        if now - self._read_at > _SAME_EXPORT_SECONDS:
            self._readings, self._read_at = [*self._reader.read(), *self._reader.read_queues()], now
        return self._readings
