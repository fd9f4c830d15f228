"""Names of other frameworks, and the corresponding names in daebus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dis import opmap
from types import FrameType

from .suggestions import closest

__all__ = ["hint_for", "is_imported_by"]

_FOREIGN: Mapping[str, tuple[str, ...]] = {
    "from daebus import Daebus": ("App", "Application", "FastAPI", "FastStream", "Flask", "Litestar", "Service"),
    "from daebus import Blueprint": ("APIRouter", "Controller", "RedisRouter", "Router"),
    "from daebus import Bus": ("Broker", "RedisBroker"),
    "from daebus import use": ("Depends", "Inject", "Provide", "inject"),
    "from daebus import ServiceContainer": ("Container", "DeclarativeContainer"),
    "from daebus import Channel": ("Event", "Queue", "Topic"),
    "from daebus import Action": ("Command", "Request", "Rpc"),
    "from daebus.testing import running": ("TestClient", "running"),
    "from daebus.errors import ServiceError": ("HTTPException", "ServiceError"),
    "from msgspec import Struct": ("BaseModel", "Struct"),
    "from dependency_injector import providers": ("providers",),
}
_ERRORS = ("BadRequest", "Conflict", "Forbidden", "Internal", "NoSuchAction", "NoSuchService", "NotFound")
_MORE_ERRORS = ("StartupError", "Timeout", "TooLarge", "TooManyRequests", "Unauthorized", "Unavailable")


def hint_for(name: str, known: Iterable[str]) -> str:
    """A hint, to append to a sentence, what to write instead of an unknown name; empty if there is none."""
    if name in (*_ERRORS, *_MORE_ERRORS):
        return f"; did you mean `from daebus.errors import {name}`?"
    for written, names in _FOREIGN.items():
        if name in names:
            return f"; did you mean `{written}`?"
    close = closest(name, known)
    return "" if close is None else f"; did you mean {close!r}?"


def is_imported_by(frame: FrameType) -> bool:
    """Whether code requests a name by ``from daebus import name``, and not as an attribute."""
    return frame.f_lasti >= 0 and frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]
