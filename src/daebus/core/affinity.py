"""Services for the event loop and services for threads: the wrong kind is refused before it can block."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["LoopOnly", "ThreadOnly"]


class LoopOnly:
    """Base of services that are awaited: only for ``async def`` handlers.

    Attributes:
        __twin__: The name of the provider that a ``def`` handler uses instead.
    """

    __slots__ = ()

    __twin__: ClassVar[str]


class ThreadOnly:
    """Base of services that block: only for ``def`` handlers and threads.

    Attributes:
        __twin__: The name of the provider that an ``async def`` handler uses instead.
    """

    __slots__ = ()

    __twin__: ClassVar[str]
