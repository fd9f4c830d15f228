"""Interceptors: what stands around every message of a service, on whatever transport it comes.

``Daebus(interceptors=[...])`` and ``Blueprint(interceptors=[...])`` take them. An `Interceptor` is called once for each
handler with what hands its messages on, and returns what is to be called for each message instead; it reads the
message, an `Incoming`, and its headers, and what comes back. One that returns `handle` itself costs nothing.

One that has a method `outgoing` or `outgoing_stream` stands around what the service sends, `Outgoing` messages;
``Bus(interceptors=[...])`` takes such ones in scripts.
"""

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.interceptors import (
    AnyInterceptor,
    AnyOutgoing,
    Handle,
    Interceptor,
    StreamHandle,
    StreamInterceptor,
)
from daebus.delivery.outgoing import Forward, ForwardStream, Outgoing, OutgoingInterceptor, OutgoingStreamInterceptor

__all__ = [
    "AnyInterceptor",
    "AnyOutgoing",
    "Endpoint",
    "Forward",
    "ForwardStream",
    "Handle",
    "Incoming",
    "Interceptor",
    "Outgoing",
    "OutgoingInterceptor",
    "OutgoingStreamInterceptor",
    "StreamHandle",
    "StreamInterceptor",
]
