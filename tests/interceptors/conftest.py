"""These tests need the packages of the extras ``daebus[prometheus]`` and ``daebus[otel]``, and an SDK."""

from __future__ import annotations

from importlib.util import find_spec

_NEEDING = {
    "prometheus_client": ["test_prometheus.py", "test_vitals.py", "test_interceptors_page.py"],
    "opentelemetry.sdk": ["test_otel_metrics.py", "test_opentelemetry.py", "test_interceptors_page.py"],
}


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [test for package, tests in _NEEDING.items() if not _is_there(package) for test in tests]
