from abc import ABC, abstractmethod
from collections.abc import Iterable

from .metrics_core import Metric

class Collector(ABC):
    @abstractmethod
    def collect(self) -> Iterable[Metric]: ...

class CollectorRegistry(Collector):
    def collect(self) -> Iterable[Metric]: ...
    def register(self, collector: Collector) -> None: ...
    def unregister(self, collector: Collector) -> None: ...

REGISTRY: CollectorRegistry
