"""Log lines of programs that have not configured the log. It loads nothing, as each command needs it."""

from __future__ import annotations

import logging

from daebus.mistakes.terminal import visible

__all__ = ["PlainFormatter"]


class PlainFormatter(logging.Formatter):
    """The message alone, for programs that have not configured the log."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record like `logging`, without characters that control a terminal."""
        return visible(super().format(record), lines=True)
