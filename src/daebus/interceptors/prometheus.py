"""Metrics for Prometheus: `PrometheusMetrics`. Needs the extra ``daebus[prometheus]``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from daebus.errors import ConfigurationError, StartupError
from daebus.telemetry.histograms import Histogram

from .measuring import Measuring, Record
from .operations import DELAY, DURATIONS, ERROR_TYPE
from .siblings import Siblings
from .vitals import METRICS, Reader, Reading

try:
    from prometheus_client import REGISTRY, Metric, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "daebus.interceptors.prometheus needs prometheus-client: pip install 'daebus[prometheus]'.", name=_missing.name
    ) from _missing

from .worker_families import decode_families, encode_families, merged

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from daebus.app.component import ServiceRun

__all__ = ["PrometheusMetrics"]

_Labels = tuple[tuple[str, str], ...]


class PrometheusMetrics(Measuring, Collector):
    """An interceptor that counts and measures messages, and lets Prometheus read the metrics.

    Args:
        path: The path of the metrics.
        port: A TCP port for the metrics alone; 0: any free port. None: the app's HTTP serves them, if it has HTTP.
        host: The address to listen on, with a port of its own.
        registry: Further metrics to serve, such as your own counters; default: the registry of prometheus-client.
        queues: Whether the lengths and ages of the queues are served, too, for which each scrape asks Redis.

    Raises:
        ConfigurationError: The path does not begin with ``/``.
    """

    def __init__(
        self,
        *,
        path: str = "/metrics",
        port: int | None = None,
        host: str = "127.0.0.1",
        registry: Collector = REGISTRY,
        queues: bool = True,
    ) -> None:
        if not path.startswith("/"):
            raise ConfigurationError(f"PrometheusMetrics(path={path!r}): it must begin with '/'.")
        self._path = path
        self._address = (host, port)
        self._registry = registry
        self._reader = Reader(queues=queues)
        self._siblings: Siblings | None = None
        self._durations: dict[str, dict[_Labels, Histogram]] = {}
        self.port: int | None = port
        """The TCP port that it listens on while the service runs; None: it has none of its own."""

    @override
    def recorder(self, metric: str, attributes: Mapping[str, str]) -> Record:
        given = {ERROR_TYPE: "", **attributes}.items()  # Prometheus needs the same labels in all series of a metric
        labels = tuple(sorted((name.replace(".", "_"), value) for name, value in given))
        return self._durations.setdefault(metric, {}).setdefault(labels, Histogram()).add

    @override
    def collect(self) -> Iterator[Metric]:
        """The metrics: of messages, of the service, and those of the registry; of all workers that share the port."""
        siblings = self._siblings
        if siblings is None:
            yield from self._of_process()
        else:
            others = {number: decode_families(told) for number, told in siblings.ask().items()}
            yield from merged({siblings.index: list(self._of_process()), **others})
        yield from _families(self._reader.read_queues())

    def _of_process(self) -> Iterator[Metric]:
        for metric, series in sorted(self._durations.items()):
            yield _histogram(metric, dict(series))
        delays: dict[_Labels, Histogram] = {}
        for name, delay in self._reader.delays().items():
            delays[("daebus_task", name),] = delay
        if delays:
            yield _histogram(DELAY, delays)
        yield from _families(self._reader.read())
        yield from self._registry.collect()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as text, and its content type. In the thread of the event loop, without those of the queues.

        Args:
            accept: The header ``Accept`` of the request, which chooses between the formats.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        """Follow a run of the service, and serve the metrics on their own port if they have one.

        Of several workers, the first one serves them.
        """
        siblings = self._siblings = Siblings.of_environment()
        host, port = self._address
        with self._reader.following(run), ExitStack() as stack:
            if siblings is not None:
                stack.enter_context(siblings.telling(lambda: encode_families(self._of_process())))
            if port is None or (siblings is not None and siblings.index > 0):
                yield
                return
            async with self._listening(host, port, run):
                yield

    @asynccontextmanager
    async def _listening(self, host: str, port: int, run: ServiceRun) -> AsyncGenerator[None]:
        try:
            server, thread = start_http_server(port, host, self)
        except OSError as error:
            raise StartupError(f"The metrics cannot be served on {host}:{port}: {error.strerror}") from error
        self.port = server.server_port
        run.logger.info("metrics are served", host=host, port=self.port)
        try:
            yield
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            thread.join()

    def http_handlers(self) -> Sequence[ControllerRouterHandler]:
        """The handlers that the app's HTTP serves beside its routes."""
        if self._address[1] is not None:
            return ()
        from .prometheus_route import metrics_route  # noqa: PLC0415  # a service without HTTP does not load Litestar

        return (metrics_route(self._path, self.exposition),)


def _histogram(metric: str, series: Mapping[_Labels, Histogram]) -> Metric:
    names = sorted({name for labels in series for name, _ in labels})
    family = HistogramMetricFamily(_name(metric, "s"), DURATIONS[metric], labels=names)
    for labels, histogram in sorted(series.items()):
        values, seconds = dict(labels), histogram.seconds
        buckets = [(_shown(bound), count) for bound, count in histogram.cumulative()]
        family.add_metric([values.get(name, "") for name in names], buckets, seconds)
    return family


def _families(readings: Iterable[Reading]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
    for reading in readings:
        metric = METRICS[reading.metric]
        if (family := families.get(metric.name)) is None:
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            names = [name.replace(".", "_") for name in reading.attributes]
            family = families[metric.name] = make(_name(metric.name, metric.unit), metric.about, labels=names)
        family.add_metric(list(reading.attributes.values()), reading.value)
    yield from families.values()


def _name(metric: str, unit: str) -> str:
    return metric.replace(".", "_") + ("_seconds" if unit == "s" else "")


def _shown(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)
