"""The mypy plugin: ``plugins = ["daebus.mypy"]`` in the ``[tool.mypy]`` section of pyproject.toml.

With it, mypy checks what plain typing cannot say: names and types right of the ``*`` against the container of the
blueprint, ``<path>`` templates against the signature, what may stand left of the ``*``, that no blueprint handles the
same thing twice, the arguments of a container's providers, and what a contract wants of a call. Whatever it cannot know
for sure it leaves to registration. Its error codes:

- ``daebus-wiring``: what stands right of the ``*``, and what a container keeps.
- ``daebus-signature``: the shape of a handler, and what stands left of the ``*``.
- ``daebus-path``: the path, the methods and the options of a route.
- ``daebus-duplicate``: two handlers for the same thing in one blueprint, a blueprint that is registered twice.
- ``daebus-value``: names, schedules and limits that cannot be.

The arguments of providers, and those of a bus, have the codes that mypy gives to those of calls. Only mypy imports this
package.

Raises:
    ImportError: mypy is too old.
"""

from __future__ import annotations

import re

from mypy.plugin import Plugin
from mypy.version import __version__ as _version

from .hooks import DaebusPlugin

__all__ = ["plugin"]

if tuple(map(int, re.findall(r"\d+", _version)[:2])) < (1, 19):
    raise ImportError(f"daebus.mypy needs mypy 1.19 or later, and this is {_version}: upgrade mypy")


def plugin(version: str) -> type[Plugin]:
    """What mypy calls: the class of the plugin, for any version of mypy."""
    del version
    return DaebusPlugin
