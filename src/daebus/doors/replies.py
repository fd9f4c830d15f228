"""Replies at doors: one that does not fit its contract is a failure, as for callers on the bus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from daebus.delivery.failures import WrongReplyError
from daebus.errors import BadRequest
from daebus.payloads.codec import compile_decoder, encode

__all__ = ["checked", "checked_object"]


def checked(kind: Any, action: str) -> Callable[[object], bytes]:
    """A function that encodes a reply; it raises `WrongReplyError` for one that a caller could not decode.

    Args:
        kind: The type of the replies.
        action: The name of the action.
    """
    decode = compile_decoder(kind, partial(_wrong, action))

    def encode_checked(reply: object) -> bytes:
        body = encode(reply)
        decode(body)
        return body

    return encode_checked


def checked_object(kind: Any, action: str) -> Callable[[object], object]:
    """Like `checked`, but it returns the reply itself, which is encoded later."""
    check = checked(kind, action)

    def unchanged(reply: object) -> object:
        check(reply)
        return reply

    return unchanged


def _wrong(action: str, problem: BadRequest) -> WrongReplyError:
    return WrongReplyError(f"The reply of {action!r} does not match its contract: {problem.message}")
