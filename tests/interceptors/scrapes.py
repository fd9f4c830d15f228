"""What a test reads from metrics in the format of Prometheus."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from daebus.interceptors.prometheus import PrometheusMetrics

__all__ = ["samples", "scrape"]


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of their labels in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


async def scrape(metrics: PrometheusMetrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, as if Prometheus had asked for them."""
    text, _ = await asyncio.to_thread(metrics.exposition)
    return samples(text.decode(), name)
