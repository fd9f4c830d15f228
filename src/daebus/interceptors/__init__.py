"""Interceptors: functions that wrap the handling of every message of a service, on every transport.

``Daebus(interceptors=[...])`` and ``Blueprint(interceptors=[...])`` take them. An `Interceptor` is called once for each
handler, with the function `handle` that passes messages on. It returns the function that is called for each message
instead. That function can read the message (an `Incoming`), its headers and the reply. An interceptor that returns
`handle` itself costs nothing.

An `Observer`, with a method `observing`, is told how each message has ended, and changes nothing: it costs less.

An interceptor with a method `outgoing` or `outgoing_stream` wraps the `Outgoing` messages that the service sends. In
scripts, ``Bus(interceptors=[...])`` takes such interceptors.
"""

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.interceptors import (
    AnyInterceptor,
    AnyOutgoing,
    Handle,
    Interceptor,
    Observe,
    Observer,
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
    "Observe",
    "Observer",
    "Outgoing",
    "OutgoingInterceptor",
    "OutgoingStreamInterceptor",
    "StreamHandle",
    "StreamInterceptor",
]
