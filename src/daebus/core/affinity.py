"""Which services belong on the event loop and which off it, so that the wrong one is refused before it can block."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["LoopOnly", "ThreadOnly"]


class LoopOnly:
    """Base of services that are awaited: for ``async def`` handlers alone.

    Attributes:
        __twin__: The name of the provider that a ``def`` handler asks for instead.
    """

    __slots__ = ()

    __twin__: ClassVar[str]


class ThreadOnly:
    """Base of services that block: for ``def`` handlers and threads alone.

    Attributes:
        __twin__: The name of the provider that an ``async def`` handler asks for instead.
    """

    __slots__ = ()

    __twin__: ClassVar[str]
