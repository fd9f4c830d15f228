"""The mypy plugin: ``plugins = ["daebus.mypy"]`` in the ``[tool.mypy]`` section of pyproject.toml.

With it, mypy checks what types alone cannot express: names and types right of the ``*`` against the container of the
blueprint, ``<path>`` templates against the signature, the parameters left of the ``*``, that no blueprint handles the
same thing twice, the arguments of a container's providers, and the arguments of calls. What mypy cannot know for
sure is checked at registration. The error codes:

- ``daebus-wiring``: the parameters right of the ``*``, and the objects that a container keeps.
- ``daebus-signature``: the shape of a handler, and the parameters left of the ``*``.
- ``daebus-path``: the path, the methods and the options of a route.
- ``daebus-duplicate``: two handlers for the same message in one blueprint, or a blueprint that is registered twice.
- ``daebus-value``: names, schedules and limits that are not valid.

For arguments of providers and of a bus, the codes are those of mypy for calls. Only mypy imports this
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
    raise ImportError(f"daebus.mypy needs mypy 1.19 or later, but {_version} is installed: upgrade mypy")


def plugin(version: str) -> type[Plugin]:
    """The class of the plugin, for any version of mypy. mypy calls this function."""
    del version
    return DaebusPlugin
