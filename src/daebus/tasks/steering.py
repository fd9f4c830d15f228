"""What an instance does when an operator steers a task: it writes an audit line, and asks about the task at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from daebus.connection.node import Node
from daebus.payloads.codec import UNDECODABLE
from daebus.protocol.tasks import decode_act, task_channel
from daebus.telemetry.logs import Logger

__all__ = ["Steering"]


class Steering:
    """Hears what operators have changed at the tasks of a service.

    The change itself is in Redis: an instance that misses the message finds it within 30 s.

    Args:
        node: This process.
        service: The name of the service.
        wake: Asks about a task now; None: about all tasks.
        logger: For the audit lines.
    """

    def __init__(self, node: Node, service: str, wake: Callable[[str | None], None], logger: Logger) -> None:
        self._node = node
        self._channel = task_channel(service)
        self._wake = wake
        self._logger = logger
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Begin to listen. Raises `Unavailable` if the server cannot be reached."""
        self._stack.push_async_callback(await self._node.subscriber.subscribe(self._channel, self._receive))
        self._node.subscriber.when_resubscribed(lambda: self._wake(None))

    async def stop(self) -> None:
        """Listen no more."""
        await self._stack.aclose()

    def _receive(self, body: bytes) -> None:
        try:
            act = decode_act(body)
        except UNDECODABLE as error:
            self._logger.debug("a message about a background task is not valid", reason=str(error))
            return
        self._logger.info("audit: background task steered", task=act.task, what=act.what, who=act.who)
        self._wake(act.task)
