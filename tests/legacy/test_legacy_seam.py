"""The wire of daebus 0.0.31 is in one folder, and can be deleted with it, but for two seams and one setting."""

from __future__ import annotations

import re
from pathlib import Path

import daebus

SOURCES = Path(daebus.__file__).parent

OPENINGS = {
    "app/running/bus_parts.py",
    "app/running/runtime.py",
    "bus/opening.py",
    "checking/deployment.py",
    "console/serving.py",
    "operations/reachability.py",
}
"""Who asks for a dialect, and hands it in; or warns of it."""

SETTING = {
    "app/running/bus_parts.py",
    "app/running/runtime.py",
    "app/settings.py",
    "bus/blocking.py",
    "bus/bus.py",
    "bus/open_bus.py",
    "bus/opening.py",
    "checking/deployment.py",
}
"""Where `legacy=` is explained."""

REPLY_CHANNELS = {"protocol/messages.py"}
"""Where it is checked to which channels a reply may go: any replica answers what one has heard from an old caller."""


def having(pattern: str) -> set[str]:
    """The modules outside of that folder whose text has a pattern."""
    names = {str(path.relative_to(SOURCES)): path.read_text() for path in SOURCES.rglob("*.py")}
    return {name for name, text in names.items() if not name.startswith("legacy/") and re.search(pattern, text)}


def test_only_what_opens_a_bus_imports_it() -> None:
    assert having(r"daebus\.legacy\.|from daebus import legacy|from \.\.?legacy") == OPENINGS


def test_only_the_setting_and_the_check_of_reply_channels_speak_of_the_old_wire() -> None:
    assert having(r"0\.0\.31|DAEBUS_LEGACY") == SETTING | REPLY_CHANNELS
