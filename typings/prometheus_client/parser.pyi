from collections.abc import Iterator

from .metrics_core import Metric

def text_string_to_metric_families(text: str) -> Iterator[Metric]: ...
