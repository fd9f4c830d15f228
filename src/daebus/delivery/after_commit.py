"""Messages that are sent only after their handler has succeeded and its per-message objects were closed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Literal, TypeAlias

import msgspec

from daebus.core.context import Context, current_context
from daebus.core.timings import DEFAULT_TIMINGS
from daebus.errors import ConfigurationError, Unavailable
from daebus.telemetry.logs import make_logger

__all__ = ["After", "AfterCommit", "Deferred", "defer", "discard", "hold", "pending", "refuse"]

_LAST_SECONDS, _LAST_SECONDS_OF_ALL = 5.0, 1.0
"""Seconds for sending after the message was cancelled; the second one applies while the service is stopping."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5

_SHOWN_CHARACTERS = 200
"""Characters of the content of an unsent message that are logged."""

_Send = Callable[[], Awaitable[object]]

Repeats: TypeAlias = Callable[[Unavailable], bool]
"""Whether a message may be sent again after this failure."""

After: TypeAlias = Literal["commit"] | None
"""When a message is sent: at once (None), or after the current message has succeeded."""


class AfterCommit:
    """The messages to send, in order, after one message has succeeded.

    Args:
        context: The context of the handled message.

    Attributes:
        is_held: Whether the message continues after its handler has returned.
    """

    __slots__ = ("_about", "_is_over", "_sends", "_stopping", "is_held")

    def __init__(self, context: Context) -> None:
        self._stopping = context.stopping
        self._about = {"handler": context.handler, "request_id": context.request_id}
        self._sends: list[Deferred] = []
        self._is_over = False
        self.is_held: bool = False

    def __del__(self) -> None:
        if self._sends:
            self._tell(self._sends, "the message had ended before it was published")

    def add(self, deferred: Deferred) -> None:
        """Add a message to send. Raises `ConfigurationError` if the handled message has ended."""
        if self._is_over:
            raise ConfigurationError(
                f'after="commit": the {deferred.title} cannot wait for the commit of a message here: the message has '
                "ended, or this is a thread, which handles no message. Leave out after=."
            )
        self._sends.append(deferred)

    def drop(self) -> None:
        """Send nothing, as the handled message has failed."""
        self._sends, self._is_over = [], True

    async def release(self) -> None:
        """Send everything, as the handled message has succeeded, unless it is held. Messages that fail are logged.

        While the server is unreachable, a repeatable message is retried for its `patience`; after that, the rest is not
        sent either.

        Raises:
            Unavailable: Not everything could be sent.
        """
        if self.is_held:
            return
        sends, self._sends, self._is_over = self._sends, [], True
        if not sends:
            return
        # Committed work must be announced, even if the caller gives up at this moment.
        sending = asyncio.ensure_future(self._send(sends))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            try:
                seconds = _LAST_SECONDS_OF_ALL if self._stopping.is_set() else _LAST_SECONDS
                await asyncio.wait({sending}, timeout=seconds)
            finally:
                if not sending.cancel() and not sending.cancelled():
                    sending.exception()  # it is logged
            raise

    async def _send(self, sends: Sequence[Deferred]) -> None:
        begin = time.monotonic()
        unsent: list[Deferred] = []
        failed: BaseException | None = None
        for index, deferred in enumerate(sends):
            end = begin + deferred.patience
            try:
                await deferred.send_until(end)
            except Exception as error:
                failed = failed or error
                unsent.append(deferred)
                if time.monotonic() > end:
                    unsent += sends[index + 1 :]
                    break
            except BaseException as error:
                self._tell([*unsent, *sends[index:]], str(failed or error) or type(error).__name__)
                raise
        if failed is not None:
            self._tell(unsent, str(failed) or type(failed).__name__)
            raise Unavailable(
                "The work is committed, but some of the messages that follow the commit could not be sent"
            ) from failed

    def _tell(self, unsent: Sequence[Deferred], reason: str) -> None:
        shown = [deferred.show() for deferred in unsent]
        make_logger().error("not sent after the commit", **self._about, unsent=shown, reason=reason)


class Deferred(msgspec.Struct):
    """One message to send after the commit; see `defer`."""

    title: str
    send: _Send
    loop: asyncio.AbstractEventLoop
    content: bytes
    key: str
    repeats: Repeats
    patience: float

    def show(self) -> str:
        """Its title, id and the beginning of its content, so that it can be sent by hand."""
        content = self.content.decode(errors="replace")
        if len(content) > _SHOWN_CHARACTERS:
            content = content[:_SHOWN_CHARACTERS] + "…"
        return f"{self.title}{self.key and f' with id {self.key}'}: {content}"

    async def send_until(self, end: float) -> None:
        """Send it; if it is repeatable, retry until `end` while the server is unreachable."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._now()
            except Unavailable as error:
                if not self.repeats(error) or time.monotonic() + pause > end:
                    raise
            else:
                return
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spread, not secrecy
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _now(self) -> None:
        if self.loop is asyncio.get_running_loop():
            await self.send()
        else:  # for a bus that was opened in a thread
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(self.send), self.loop))


async def _awaited(send: _Send) -> None:
    await send()


# Used for each message, so it must be as fast as an attribute.
pending: Callable[[Context], AfterCommit | None] = attrgetter("_after")
"""The messages to send after a handled message; None: there are none."""


def _never(_: Unavailable) -> bool:
    return False


def defer(
    after: object,
    title: str,
    send: _Send,
    content: bytes,
    key: str = "",
    repeats: Repeats = _never,
    patience: float = DEFAULT_TIMINGS.commit_patience,
) -> None:
    """Send a message after the current message has succeeded.

    Args:
        after: The argument of the caller: ``"commit"``.
        title: Its title in logs and errors: ``event on 'orders'``.
        send: Sends it.
        content: Its JSON; the beginning is logged if it cannot be sent.
        key: Its id, also logged if it cannot be sent; empty: it has none.
        repeats: Whether it may be sent again; default: not at all.
        patience: Seconds after the commit during which sending is retried while the server is unreachable.

    Raises:
        ConfigurationError: `after` has another value, no message is being handled, or the message has ended.
    """
    if after != "commit":
        raise ConfigurationError(f'after={after!r}: write after="commit", or leave it out to send at once.')
    context = current_context.get()
    if context is None:
        raise ConfigurationError(
            f'after="commit": the {title} would wait for the message that is being handled, and none is handled here. '
            "Leave after= out, or do it in a handler."
        )
    deferred = Deferred(title, send, asyncio.get_running_loop(), content, key, repeats, patience)
    (pending(context) or _made(context)).add(deferred)


def hold(context: Context) -> None:
    """Keep a message going after its handler has returned; the caller must call `release` or `drop` at the end."""
    (pending(context) or _made(context)).is_held = True


def refuse(context: Context) -> None:
    """Refuse ``after="commit"`` in a thread handler, which handles no message."""
    _made(context).drop()


def discard(context: Context) -> None:
    """Send nothing, as the message has failed."""
    after = pending(context)
    if after is not None:
        after.drop()


def _made(context: Context) -> AfterCommit:
    after = AfterCommit(context)
    msgspec.structs.force_setattr(context, "_after", after)
    return after
