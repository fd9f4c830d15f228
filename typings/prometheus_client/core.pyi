from .metrics_core import CounterMetricFamily as CounterMetricFamily
from .metrics_core import GaugeMetricFamily as GaugeMetricFamily
from .metrics_core import HistogramMetricFamily as HistogramMetricFamily
