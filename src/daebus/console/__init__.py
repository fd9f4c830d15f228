"""The console: a web page on which operators see and steer the services of a server.

It reads the fleet once for all pages that are open (`feed`), and shows what `daebus.operations` tells. `routes` are
Litestar handlers, which `serving` serves on a port of their own, and `DaebusConsole` in the HTTP of a service. The page
is plain HTML with ES modules, in ``assets``.
"""

from .component import DaebusConsole

__all__ = ["DaebusConsole"]
