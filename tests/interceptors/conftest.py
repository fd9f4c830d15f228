"""These tests need the packages of the extras ``daebus[prometheus]`` and ``daebus[otel]``, and an SDK."""

from __future__ import annotations

from importlib.util import find_spec

_NEEDING = {
    "prometheus_client": ["prometheus", "prometheus_deploy", "worker_families", "vitals", "interceptors_page"],
    "opentelemetry.sdk": ["opentelemetry", "opentelemetry_hops", "otel_metrics", "interceptors_page"],
}


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [f"test_{test}.py" for package, tests in _NEEDING.items() if not _is_there(package) for test in tests]
