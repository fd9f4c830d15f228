"""Interceptors: what stands around every message of a service, on whatever transport it comes.

``Daebus(interceptors=[...])`` and ``Blueprint(interceptors=[...])`` take them. An `Interceptor` is called once for each
handler with what hands its messages on, and returns what is to be called for each message instead; it reads the
message, an `Incoming`, and its headers, and what comes back. One that returns `handle` itself costs nothing.
"""

from daebus.delivery.endpoint import Endpoint, Incoming
from daebus.delivery.interceptors import AnyInterceptor, Handle, Interceptor, StreamHandle, StreamInterceptor

__all__ = [
    "AnyInterceptor",
    "Endpoint",
    "Handle",
    "Incoming",
    "Interceptor",
    "StreamHandle",
    "StreamInterceptor",
]
