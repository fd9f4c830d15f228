"""Telemetry: the log lines of a service, with counts in place of repeated lines."""
