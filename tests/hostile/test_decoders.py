"""Hypothesis looks for bytes on which a decoder fails in another way than with an error for the sender."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy
from tests.hostile.decoders import DECODERS, HONEST

# The same inputs in each run, however slow the machine is.
_settings = settings(
    derandomize=True, database=None, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow]
)

_NAMES = sorted({str(name) for honest in HONEST if honest.startswith(b"{") for name in json.loads(honest)})


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()


def _cut(whole: bytes, end: int) -> bytes:
    return whole[: end % (len(whole) + 1)]


def _join(first: bytes, second: bytes) -> bytes:
    return first + second


_scalars: SearchStrategy[object] = some.one_of(
    some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=20)
)
_lists: SearchStrategy[object] = some.lists(_scalars, max_size=4)
_words: SearchStrategy[object] = some.sampled_from(["created", "deleted", "2026-01-01", "12345", "success"])
_fields: SearchStrategy[object] = some.dictionaries(some.sampled_from(_NAMES), some.one_of(_scalars, _lists, _words))
_objects: SearchStrategy[object] = some.dictionaries(
    some.sampled_from(_NAMES), some.one_of(_scalars, _lists, _words, _fields)
)
_whole: SearchStrategy[bytes] = some.one_of(some.builds(_dump, _objects), some.sampled_from(HONEST))
_truncated: SearchStrategy[bytes] = some.builds(_cut, _whole, some.integers(0, 10_000))
_hostile: SearchStrategy[bytes] = some.one_of(
    _whole, _truncated, some.binary(max_size=200), some.builds(_join, _truncated, some.binary(max_size=20))
)


@pytest.mark.parametrize("name", DECODERS)
@_settings
@example(b"[" * 100_000)
@example(b"[" * 100_000 + b"]" * 100_000)
@example(b'{"a":' * 50_000)
@example(b'{"action":"a","payload":' + b"[" * 50_000 + b"]" * 50_000 + b"}")
@example(b'{"action":"a","deadline":1' + b"0" * 400 + b"}")
@example(b'{"action":"a","reply_to":"user_events"}')
@example(b'{"action":"a","reply_to":"daebus:reply:' + b"x" * 100_000 + b'"}')
@example(b'{"type":"a","id":1' + b"0" * 400 + b"}")
@example(b"9" * 10_000)
@example(b'"\\ud800"')
@example(b"room=%ff&room=1&tags=%00")
@given(data=_hostile)
def test_no_bytes_are_too_much(name: str, data: bytes) -> None:
    DECODERS[name](data)
