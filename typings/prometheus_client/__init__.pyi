"""The part of prometheus-client that daebus uses: its own types are incomplete."""

from threading import Thread
from wsgiref.simple_server import WSGIServer

from .metrics import Counter as Counter
from .metrics_core import Metric as Metric
from .registry import REGISTRY as REGISTRY
from .registry import Collector
from .registry import CollectorRegistry as CollectorRegistry

def start_http_server(port: int, addr: str = ..., registry: Collector = ...) -> tuple[WSGIServer, Thread]: ...
