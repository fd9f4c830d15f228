"""The metrics of several workers as one: each sample has the label ``daebus_worker``, the number of its worker."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import msgspec
from prometheus_client import Metric

from daebus.payloads.codec import encode

__all__ = ["decode_families", "encode_families", "merged"]

_WORKER = "daebus_worker"


class _Sample(msgspec.Struct, array_like=True):
    name: str
    labels: dict[str, str]
    value: float | str  # JSON has no infinity


class _Family(msgspec.Struct, array_like=True):
    name: str
    about: str
    kind: str
    samples: list[_Sample]


_decode = msgspec.json.Decoder(list[_Family]).decode


def encode_families(families: Iterable[Metric]) -> bytes:
    """Metrics as they are told to the other workers."""
    return encode(
        [
            _Family(one.name, one.documentation, one.type, [_Sample(*s[:2], _told(s.value)) for s in one.samples])
            for one in families
        ]
    )


def decode_families(told: bytes) -> list[Metric]:
    """The metrics that another worker has told."""
    found: list[Metric] = []
    for one in _decode(told):
        metric = Metric(one.name, one.about, one.kind)
        for sample in one.samples:
            metric.add_sample(sample.name, sample.labels, float(sample.value))
        found.append(metric)
    return found


def merged(workers: Mapping[int, Iterable[Metric]]) -> Iterable[Metric]:
    """The metrics of all workers."""
    found: dict[str, Metric] = {}
    for number, families in sorted(workers.items()):
        for one in families:
            metric = found.setdefault(one.name, Metric(one.name, one.documentation, one.type))
            for sample in one.samples:
                metric.add_sample(sample.name, {**sample.labels, _WORKER: str(number)}, sample.value)
    return found.values()


def _told(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
