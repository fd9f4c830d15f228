"""Eviction policy of the server: it must not delete queued messages when its memory is full."""

from __future__ import annotations

from typing import cast

from daebus.connection.redis_server import RedisServer
from daebus.errors import StartupError, Unavailable
from daebus.telemetry.logs import Logger

__all__ = ["check_eviction"]

_FITTING = "noeviction"
_SET = "Set maxmemory-policy noeviction, with which a full server refuses new messages instead."


async def check_eviction(server: RedisServer, logger: Logger) -> None:
    """Check the ``maxmemory-policy`` of a server, or of each node of a cluster, before messages are stored there.

    Under ``allkeys-*`` a full server silently deletes queued messages, so such a server is refused. Under
    ``volatile-*`` it deletes keys that have a time to live, and the log warns of that. Without ``maxmemory`` no policy
    has any effect, and the log notes that. If the user may not read the policy, the log says so. The embedded engine is
    not checked.

    Raises:
        StartupError: Queued messages are not safe on the server; the text names the policy.
    """
    if server.is_embedded:
        return
    try:
        answers = await server.ask_each("INFO", "memory")
    except Unavailable as error:
        reason = str(error)
        hint = {"hint": "allow its user the command: +info"} if "permission" in reason else {}
        logger.warning("eviction policy not known", reason=reason, **hint)
        return
    for address, answer in answers.items():
        _judge(address, _fields(cast("bytes", answer)), logger)


def _judge(address: str, memory: dict[str, str], logger: Logger) -> None:
    policy, limit = memory.get("maxmemory_policy", _FITTING), int(memory.get("maxmemory", 0))
    if policy == _FITTING:
        return
    if limit == 0:
        # Nothing is evicted yet, but a limit can be set at any time, and nobody will think of this then.
        logger.info("eviction policy without effect", server=address, policy=policy, reason="maxmemory is 0", hint=_SET)
    elif policy.startswith("allkeys-"):
        raise StartupError(
            f"The server at {address} has maxmemory-policy {policy}: when its memory is full ({limit >> 20} MiB), it "
            f"deletes queued messages, without any error. {_SET}"
        )
    else:
        logger.warning(
            "eviction policy drops idempotency keys",
            server=address,
            policy=policy,
            reason="a full server deletes them, and the registry of instances: work may run twice, "
            "and services may not be found",
            hint=_SET,
        )


def _fields(text: bytes) -> dict[str, str]:
    """The fields of a section of INFO."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
