"""The environment of a process: whether its user can mean an embedded engine, which is for development."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from daebus.errors import ConfigurationError

__all__ = ["EMBEDDED_VARIABLE", "PLATFORMS", "REDIS_URL_VARIABLE", "is_isolated", "refuse_surprise"]

REDIS_URL_VARIABLE = "DAEBUS_REDIS_URL"
EMBEDDED_VARIABLE = "DAEBUS_EMBEDDED"

_OTHER_URL = "REDIS_URL"  # the name that most platforms and libraries use
PLATFORMS = {
    "KUBERNETES_SERVICE_HOST": "in Kubernetes",
    "ECS_CONTAINER_METADATA_URI_V4": "on Amazon ECS",
    "K_SERVICE": "on Cloud Run",
    "DYNO": "on Heroku",
    "FLY_APP_NAME": "on Fly.io",
}
"""Variables that only platforms for services set, with words for where such a process runs."""

_CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
_CONTAINER_VARIABLE = "container"  # set by Podman, systemd-nspawn, LXC
_DESKTOPS = ("flatpak", "wsl")  # values of that variable where a person sits in front of it


def refuse_surprise() -> None:
    """Refuse the embedded engine of a project where it is most likely used by mistake.

    ``DAEBUS_EMBEDDED=1`` allows it anywhere, ``DAEBUS_EMBEDDED=0`` nowhere. Without either, it is refused on the
    platforms where services are deployed, in a systemd service, in a container, and where REDIS_URL is set.

    Raises:
        ConfigurationError: It is refused; one line says why and what to set.
    """
    chosen = os.environ.get(EMBEDDED_VARIABLE, "")
    if chosen == "1":
        return
    if chosen == "0":
        raise ConfigurationError(
            f"No Redis URL is given, and {EMBEDDED_VARIABLE}=0 turns the embedded one off. "
            f"Set {REDIS_URL_VARIABLE} or pass redis_url= to use a Redis or Valkey server of your own."
        )
    if chosen:
        raise ConfigurationError(
            f"{EMBEDDED_VARIABLE} is {chosen!r}: write 1 to allow the embedded engine, 0 to forbid."
        )
    found = _sign_of_deployment(os.environ)
    if found is not None:
        raise ConfigurationError(
            f"{found}: set {REDIS_URL_VARIABLE}=redis://HOST:6379/0, "
            f"or {EMBEDDED_VARIABLE}=1 where the embedded engine is meant, as in a development container."
        )


def is_isolated() -> bool:
    """Whether this process runs in a container, whose loopback interface cannot be reached from outside."""
    return _sign_of_container(os.environ) is not None or any(os.environ.get(name) for name in PLATFORMS)


def _sign_of_deployment(environment: Mapping[str, str]) -> str | None:
    """The reason not to embed an engine, as the first half of a sentence."""
    if environment.get(_OTHER_URL):
        return f"{_OTHER_URL} is set, but daebus reads {REDIS_URL_VARIABLE}, which is not"
    platform = next((name for name in PLATFORMS if environment.get(name)), None)
    if platform is not None:
        where = f"{PLATFORMS[platform]} ({platform} is set)"
    elif sign := _sign_of_systemd(environment):
        where = f"as a service of systemd ({sign})"
    elif sign := _sign_of_container(environment):
        where = f"in a container ({sign})"
    else:
        return None
    return f"No Redis URL is given, and this runs {where}"


def _sign_of_container(environment: Mapping[str, str]) -> str | None:
    for file in _CONTAINER_FILES:
        if file.exists():
            return f"{file} exists"
    kind = environment.get(_CONTAINER_VARIABLE, "")
    return f"{_CONTAINER_VARIABLE}={kind}" if kind and kind not in _DESKTOPS else None


def _sign_of_systemd(environment: Mapping[str, str]) -> str | None:
    """The sign of a systemd service, as opposed to a terminal of a systemd desktop, which inherits its variables."""
    if sys.stderr is not None and sys.stderr.isatty():  # pyright: ignore[reportUnnecessaryComparison]  # pythonw has none
        return None
    journal = environment.get("JOURNAL_STREAM")
    if journal and journal in (_device_and_inode(1), _device_and_inode(2)):
        return "JOURNAL_STREAM is where its output goes"
    if environment.get("SYSTEMD_EXEC_PID") in (str(os.getpid()), str(os.getppid())):
        return "SYSTEMD_EXEC_PID names it"
    return "NOTIFY_SOCKET is set" if environment.get("NOTIFY_SOCKET") else None


def _device_and_inode(descriptor: int) -> str | None:
    try:
        found = os.fstat(descriptor)
    except OSError:  # it is closed
        return None
    return f"{found.st_dev}:{found.st_ino}"
