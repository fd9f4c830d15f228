"""Metrics for Prometheus: `PrometheusMetrics`. Needs the extra ``daebus[prometheus]``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from daebus.errors import ConfigurationError, StartupError
from daebus.telemetry.histograms import Histogram

from .measuring import Measuring, Record

try:
    from prometheus_client import REGISTRY, Metric, start_http_server
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "daebus.interceptors.prometheus needs prometheus-client: pip install 'daebus[prometheus]'.", name=_missing.name
    ) from _missing

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
    ) -> None:
        if not path.startswith("/"):
            raise ConfigurationError(f"PrometheusMetrics(path={path!r}): it must begin with '/'.")
        self._path = path
        self._address = (host, port)
        self._registry = registry
        self._durations: dict[str, dict[_Labels, Histogram]] = {}
        self.port: int | None = port
        """The TCP port that it listens on while the service runs; None: it has none of its own."""

    @override
    def recorder(self, metric: str, attributes: Mapping[str, str]) -> Record:
        labels = tuple(sorted((name.replace(".", "_"), value) for name, value in attributes.items()))
        return self._durations.setdefault(metric, {}).setdefault(labels, Histogram()).add

    @override
    def collect(self) -> Iterator[Metric]:
        """The metrics: of messages, and those of the registry."""
        for metric, series in sorted(self._durations.items()):
            yield _family(metric, dict(series))
        yield from self._registry.collect()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics as text, and its content type.

        Args:
            accept: The header ``Accept`` of the request, which chooses between the formats.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type

    @asynccontextmanager
    async def serving(self, run: ServiceRun) -> AsyncGenerator[None]:
        """Serve the metrics on their own port, if they have one, as long as the service runs."""
        host, port = self._address
        if port is None:
            yield
            return
        try:
            server, thread = start_http_server(port, host, self)
        except OSError as error:
            raise StartupError(f"The metrics cannot be served on {host}:{port}: {error.strerror}") from error
        self.port = server.server_port
        run.logger.info("metrics are served", host=host, port=self.port)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def http_handlers(self) -> Sequence[ControllerRouterHandler]:
        """The handlers that the app's HTTP serves beside its routes."""
        if self._address[1] is not None:
            return ()
        from .prometheus_route import metrics_route  # noqa: PLC0415  # a service without HTTP does not load Litestar

        return (metrics_route(self._path, self.exposition),)


def _family(metric: str, series: Mapping[_Labels, Histogram]) -> HistogramMetricFamily:
    names = sorted({name for labels in series for name, _ in labels})
    family = HistogramMetricFamily(f"{metric.replace('.', '_')}_seconds", _ABOUT[metric], labels=names)
    for labels, histogram in sorted(series.items()):
        values, seconds = dict(labels), histogram.seconds
        buckets = [(_shown(bound), count) for bound, count in histogram.cumulative()]
        family.add_metric([values.get(name, "") for name in names], buckets, seconds)
    return family


def _shown(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


_ABOUT = {
    "rpc.server.call.duration": "Calls and streams that actions have handled, in seconds.",
    "rpc.client.call.duration": "Calls and streams of this process, in seconds.",
    "messaging.process.duration": "Events and sent requests that were handled, in seconds.",
    "messaging.client.operation.duration": "Sends and publishes of this process, in seconds.",
    "http.server.request.duration": "HTTP requests that routes have handled, in seconds.",
    "daebus.socket.message.duration": "WebSocket messages that were handled, in seconds.",
    "daebus.task.duration": "Runs of background tasks, in seconds.",
}
