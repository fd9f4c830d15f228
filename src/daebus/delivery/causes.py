"""The cause of a handler's failure as a text to store: bounded, without values of variables and known secrets."""

from __future__ import annotations

import re
import traceback
from contextlib import suppress
from types import TracebackType

import msgspec

from daebus.errors import ServiceError
from daebus.payloads.codec import encode

__all__ = ["Cause", "cause_of", "details_of", "place_of_failure", "reason_of", "scrubbed", "type_and_message"]

_LONGEST_MESSAGE = 1_024
_LONGEST_TRACEBACK = 8_192
_KEPT_BEGINNING = 2_048
_LONGEST_DETAILS = 16_384  # bytes
_LONGEST_LOOKED_AT = 32_768  # anything beyond this would be cut off at the end anyway
_CUT = "\n  [...]\n"

# Each repetition is bounded, as the text is untrusted: the time must not grow quadratically.
_SECRETS = [
    (re.compile(r"(://)[^\s'\"<>]{0,512}@"), r"\1***@"),
    (re.compile(r"\beyJ[\w-]{1,1024}\.[\w-]{1,1024}\.[\w-]{0,1024}"), "***"),
    (
        re.compile(
            r"""(?ix)
            ((?:password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie|credential)[\w-]{0,32})
            (["']?\s{0,8}[=:]\s{0,8})
            (?:(?:bearer|basic)\s{1,8})?
            (?:"[^"\n]{0,4096}"|'[^'\n]{0,4096}'|[^\s,;&)}\]]{1,4096})
            """
        ),
        r"\1\2***",
    ),
    (re.compile(r"(?i)\b(bearer)\s{1,8}[\w.~+/=-]{8,4096}"), r"\1 ***"),
]


class Cause(msgspec.Struct, frozen=True):
    """Why a handler failed.

    Attributes:
        exception: The class of the exception, with its module.
        reason: The message of the exception, at most 1,024 bytes.
        traceback: The traceback with its causes, at most 8,192 bytes; the middle of a longer one is left out.
    """

    exception: str
    reason: str
    traceback: str


def cause_of(problem: ServiceError) -> Cause | None:
    """The cause of a failure; None if no handler failed: the entry was never finished or could not be read."""
    error = problem if problem.__traceback__ is not None else problem.__cause__
    if error is None:
        return None
    text = "".join(traceback.TracebackException.from_exception(error, compact=True).format()).rstrip()
    if len(text) > _LONGEST_LOOKED_AT:
        text = text[:_LONGEST_TRACEBACK] + _CUT + text[-(_LONGEST_LOOKED_AT - _LONGEST_TRACEBACK) :]
    return Cause(_name(error), reason_of(error), _bounded(scrubbed(text)))


def type_and_message(error: BaseException) -> str:
    """An exception in one line, at most about 1,024 bytes, without known secrets."""
    reason = reason_of(error)
    return f"{_name(error)}: {reason}" if reason else _name(error)


def place_of_failure(error: BaseException) -> tuple[str, int]:
    """The file and the line in which an exception was raised."""
    innermost: TracebackType | None = error.__traceback__
    while innermost is not None and innermost.tb_next is not None:
        innermost = innermost.tb_next
    return ("", 0) if innermost is None else (innermost.tb_frame.f_code.co_filename, innermost.tb_lineno)


def scrubbed(text: str) -> str:
    """The text without anything that looks like a password, a token or a key."""
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def details_of(problem: ServiceError) -> bytes:
    """The details of an error as JSON, such as the mistakes of an event; empty if they are too long or not JSON."""
    with suppress(TypeError, ValueError, RecursionError):
        details = encode(problem.details) if problem.details else b""
        return details if len(details) <= _LONGEST_DETAILS else b""
    return b""


def reason_of(error: BaseException) -> str:
    """The message of an error, at most 1,024 bytes."""
    try:
        text = str(error)
    except Exception:
        text = "<it cannot be shown>"
    return _cut(scrubbed(text[:_LONGEST_MESSAGE]), _LONGEST_MESSAGE)


def _bounded(text: str) -> str:
    if len(text.encode("utf-8", "backslashreplace")) <= _LONGEST_TRACEBACK:
        return _cut(text, _LONGEST_TRACEBACK)
    end = text.encode("utf-8", "backslashreplace")[-(_LONGEST_TRACEBACK - _KEPT_BEGINNING - len(_CUT)) :]
    return _cut(text, _KEPT_BEGINNING) + _CUT + end.decode(errors="ignore")


def _cut(text: str, size: int) -> str:
    """Truncate to this many bytes of UTF-8; lone surrogates, which have no bytes, are dropped."""
    return text.encode("utf-8", "backslashreplace")[:size].decode(errors="ignore")
