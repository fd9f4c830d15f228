"""The data that daebus writes to Redis: the structs on the wire and the names of the keys, as in docs/protocol.md."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from .headers import WireHeaders

__all__ = [
    "MAX_MESSAGE_SIZE",
    "MAX_PARTITIONS",
    "ErrorPayload",
    "Reply",
    "Request",
    "action_stream",
    "channel_instances",
    "channel_listeners",
    "channel_listening",
    "channel_stream",
    "client_channel",
    "client_registry",
    "control_channel",
    "dead_letters",
    "decode_request",
    "delayed_entries",
    "gone_groups",
    "idempotent_run",
    "instance_registry",
    "listened_channels",
    "listener_stream",
    "parked_requests",
    "partition_of",
    "queued_actions",
    "reply_channel",
    "require_reply_channel",
    "sent_mark",
    "service_of",
    "serving_channel",
    "serving_instances",
    "serving_registry",
]

NOTHING = msgspec.Raw(b"null")

MAX_MESSAGE_SIZE = 1_048_576
"""The default for the largest payload in bytes."""

MAX_PARTITIONS = 1024
"""The largest number of partitions of a service."""

_MAX_TEXT = 256
_ShortText = Annotated[str, msgspec.Meta(max_length=_MAX_TEXT)]
_REPLIES = "daebus:reply:"
_OLD_REPLIES = re.compile(r"caller:.+|[^:]+\.responses")

_Number = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]


class Request(msgspec.Struct, omit_defaults=True):
    """A request for an action: the JSON in a stream entry's field ``request``, and on the channel of an old service.

    Attributes:
        action: The action's name.
        payload: The payload, still JSON.
        reply_to: The caller's pub/sub channel; None: no reply is wanted. It is called ``daebus:reply:...``, or as
            daebus 0.0.31 calls it.
        request_id: Chosen by the caller; each reply carries it.
        service: The service that is asked.
        deadline: When the caller stops waiting, in milliseconds of the server's clock.
        trace_id: The request id of the work that this call is part of, for logs.
        credit: How many items of a stream the caller accepts before it grants more; None: any number.
        credit_size: How many bytes of items the caller accepts before it grants more; the last item may exceed it.
        idempotency_key: Requests for an action with the same key run once, and all get the same reply.
        sender: The sender, if no reply is wanted: a service and an instance of it, or ``script``, then ``@``, and a
            host.
        headers: Further data from the caller, by name; None: there is none.
    """

    action: str
    payload: msgspec.Raw = NOTHING
    reply_to: _ShortText | None = None
    request_id: _ShortText = ""
    service: str = ""
    deadline: _Number | None = None
    trace_id: _ShortText | None = None
    credit: _Number | None = None
    credit_size: _Number | None = None
    idempotency_key: _ShortText | None = None
    sender: _ShortText | None = None
    headers: WireHeaders | None = None


_decode_request = msgspec.json.Decoder(Request).decode


def decode_request(body: bytes) -> Request:
    """The request in an entry. Raises the errors in `UNDECODABLE`."""
    request = _decode_request(body)
    if request.reply_to is not None and not request.reply_to.startswith(_REPLIES):
        require_reply_channel(request.reply_to)
    return request


def require_reply_channel(channel: str) -> None:
    """Raise `msgspec.ValidationError` if a channel is none on which a caller may ask for a reply."""
    # A process that may write requests must not be able to publish through the service that answers them.
    is_one = channel.startswith(_REPLIES) or _OLD_REPLIES.fullmatch(channel) is not None
    if not is_one or len(channel) > _MAX_TEXT:
        raise msgspec.ValidationError("Not a channel for replies - at `$.reply_to`")


class Reply(msgspec.Struct):
    """A reply, on the channel that the request names.

    Attributes:
        status: ``success`` or ``error``.
        payload: The reply, or an `ErrorPayload`; still JSON.
        request_id: The id of the request.
        final: False for all items of a stream; its end is a final reply without an item.
        number: The number of an item of a stream, from 1, or of its end, which counts as one more; missing in all other
            replies. A caller sees by it that another instance has begun the stream again, or that an item was lost.
    """

    status: str
    payload: msgspec.Raw
    request_id: str
    final: bool = True
    number: int | msgspec.UnsetType = msgspec.UNSET


class ErrorPayload(msgspec.Struct, omit_defaults=True):
    """The payload of an error reply.

    Attributes:
        error: A sentence for people.
        code: A stable word for programs.
        details: More facts for programs.
    """

    error: str
    code: str = "error"
    details: dict[str, object] = {}


def partition_of(service: str, number: int) -> str:
    """The name of a partition, counted from 0: the service's own name, then ``users:1`` and so on.

    The braces in keys keep all the keys of one partition in one hash slot.
    """
    return f"{service}:{number}" if number else service


def service_of(partition: str) -> str:
    """The name of the service that has a partition. Names of services hold no colon."""
    return partition.partition(":")[0]


def action_stream(partition: str, action: str) -> str:
    """The stream of an action in one partition."""
    return f"daebus:{{{partition}}}:action:{action}"


def queued_actions(partition: str) -> str:
    """The set of the names of the actions that got a request by a send, or that an instance has served."""
    return f"daebus:{{{partition}}}:actions"


def serving_registry(service: str) -> str:
    """The sorted set of the lists of actions that live instances serve, by the time of the last heartbeat in ms.

    The empty name stands for the service. A number after a colon stands for its number of partitions.
    """
    return f"daebus:{{{service}}}:serving"


def serving_instances(service: str) -> str:
    """The sorted set of the serving instances with their lists of actions, by the time of the last heartbeat in ms."""
    return f"daebus:{{{service}}}:servers"


def serving_channel(service: str) -> str:
    """The pub/sub channel on which an instance that stops announces that the registry has changed."""
    return f"daebus:{{{service}}}:left"


def dead_letters(service: str) -> str:
    """The stream of entries that could not be handled."""
    return f"daebus:{{{service}}}:dead"


def delayed_entries(partition: str) -> str:
    """The sorted set of a partition's entries that wait for a retry, by the time in ms when it is due."""
    return f"daebus:{{{partition}}}:retries"


def listener_stream(service: str, channel: str, listener: str) -> str:
    """The stream of a durable channel's events that one listener failed on and is to retry."""
    return f"daebus:{{{service}}}:listener:{channel}:{listener}"


def idempotent_run(partition: str, action: str, key: str) -> str:
    """The hash of an idempotency key: the entry that runs for it, or the reply that it got."""
    return f"daebus:{{{partition}}}:once:{action}:{key}"


def parked_requests(partition: str, action: str, key: str) -> str:
    """The list of requests that wait for the reply of the request that runs for their idempotency key."""
    return f"daebus:{{{partition}}}:parked:{action}:{key}"


def channel_stream(channel: str) -> str:
    """The stream of a durable channel."""
    return f"daebus:channel:{{{channel}}}"


def instance_registry(partition: str) -> str:
    """The sorted set of the instances that read a partition, by the time in ms at which they count as dead."""
    return f"daebus:{{{partition}}}:instances"


def channel_instances(channel: str) -> str:
    """The sorted set of the instances that listen to a durable channel, by the time in ms when they count as dead."""
    return f"daebus:channel:{{{channel}}}:instances"


def channel_listeners(channel: str) -> str:
    """The hash of a durable channel's listeners, by service and name: the consumer group of each, and where that began.

    The name of a group never changes, even if the listener's does: it contains the listener's first name.
    """
    return f"daebus:channel:{{{channel}}}:listeners"


def channel_listening(channel: str) -> str:
    """The sorted set of the active listeners of a durable channel, by the time in ms of the last heartbeat.

    A member consists of an instance, a group and the listener's name, separated by spaces.
    """
    return f"daebus:channel:{{{channel}}}:listening"


def gone_groups(channel: str) -> str:
    """The sorted set of the groups of a durable channel that were dropped or handed over within a week."""
    return f"daebus:channel:{{{channel}}}:gone"


def listened_channels(service: str) -> str:
    """The sorted set of the durable channels to which a service listens or listened, by the time in ms."""
    return f"daebus:{{{service}}}:channels"


def sent_mark(slot: str, sent_id: str) -> str:
    """The key that marks, for a while, a message that the server already has on a durable channel or in a partition."""
    return f"daebus:sent:{{{slot}}}:{sent_id}"


def control_channel(service: str) -> str:
    """The pub/sub channel on which callers say that they no longer wait, or that they accept more items of a stream.

    The payload is the request id, followed by a space and the number of items.
    """
    return f"daebus:{{{service}}}:control"


def reply_channel(instance: str) -> str:
    """The pub/sub channel on which a process gets its replies."""
    return f"daebus:reply:{instance}"


def client_channel(service: str) -> str:
    """The pub/sub channel over which the replicas of a service reach each other's WebSocket clients."""
    return f"daebus:{{{service}}}:clients"


def client_registry(service: str) -> str:
    """The sorted set of connected WebSocket clients, by the time of their instance's last heartbeat in ms."""
    return f"daebus:{{{service}}}:connected"
