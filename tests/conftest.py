"""What holds for every test."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Generator[None]:
    """A service that starts configures the logging of its process: the next test begins without."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in root.handlers:
        if handler not in handlers:
            root.removeHandler(handler)
    logging.captureWarnings(capture=False)
