"""The spans that a test has collected. The types of the SDK are not needed to check daebus."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from opentelemetry.trace import TracerProvider

__all__ = ["Spans"]


class Spans:
    """Collects the spans of its provider.

    Args:
        sampler: The sampler of the SDK; default: all traces are sampled that do not come from elsewhere.
    """

    def __init__(self, sampler: object = None) -> None:
        sdk, export = (import_module(f"opentelemetry.sdk.trace{name}") for name in ("", ".export"))
        self.exporter: Any = import_module(f"{export.__name__}.in_memory_span_exporter").InMemorySpanExporter()
        provider = sdk.TracerProvider(sampler=sampler)
        provider.add_span_processor(export.SimpleSpanProcessor(self.exporter))
        self.provider: TracerProvider = cast("TracerProvider", provider)

    @property
    def ended(self) -> list[Any]:
        """The spans that have ended, in the order in which they began."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def tree(self) -> list[str]:
        """A line for each span, indented below its parent."""
        spans = self.ended
        ids = {span.context.span_id: span for span in spans}

        def depth(span: Any) -> int:
            parent = None if span.parent is None else ids.get(span.parent.span_id)
            return 0 if parent is None else 1 + depth(parent)

        return [f"{'  ' * depth(span)}{span.kind.name} {span.name}" for span in spans]
