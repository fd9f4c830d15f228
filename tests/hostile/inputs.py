"""Hostile bytes, from a seed: what was once found is found again by the same number."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping

__all__ = ["Hostile"]

_NASTY_TEXT = (
    "",
    "\x00",
    "../../etc/passwd",
    "%00%ff",
    "missing",
    "user_events",
    "daebus:{victim}:control",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "\u202e\ufeff\U0001f4a3",
    "a" * 300,
    "\r\nX-Injected: 1",
    "null",
    "-0",
    "1e999",
    "🦆" * 100,
)
_NASTY_JSON = (
    b"null",
    b"true",
    b"-1",
    b"1e400",
    b"-0.0",
    b"NaN",
    b"Infinity",
    b"9" * 30,
    b"9" * 5000,
    b"1." + b"1" * 400,
    b"[]",
    b"{}",
    b'""',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"unfinished',
    b'{"a":1,"a":2}',
    b'{"a":1,}',
    b"[1,,2]",
    b"'single'",
    b"/* comment */ 1",
    b"\xef\xbb\xbf1",
    b"[" * 900 + b"]" * 900,
    b'{"a":' * 400 + b"1" + b"}" * 400,
)
_WRONG: tuple[object, ...] = (None, True, -1, 1.5, "", [1], {"a": 1}, [[2]], {"": {"": 3}}, 1 << 70)
_HUGE = (70_000, 1_200_000)
_DEEP = (1_100, 5_000, 100_000)


class Hostile:
    """Makes hostile inputs out of honest ones.

    Args:
        seed: The same seed makes the same inputs.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._ways: tuple[tuple[Callable[[dict[str, object]], bytes], int], ...] = (
            (self._honest, 4),
            (self._wrong_type, 24),
            (self._nasty_value, 24),
            (self._truncated, 12),
            (self._flipped, 12),
            (self._twice, 8),
            (self._missing, 8),
            (self._garbage, 6),
            (self._nested, 2),
        )

    def text(self) -> str:
        """A string that nobody expects."""
        return self.random.choice(_NASTY_TEXT)

    def noise(self, most: int = 64) -> bytes:
        """Bytes."""
        return self.random.randbytes(self.random.randrange(most))

    def json(self, honest: Mapping[str, object]) -> bytes:
        """What should be JSON like `honest`, and mostly is not."""
        if self.random.random() < 0.0005:
            return self._huge(dict(honest))
        make, _ = self.random.choices(self._ways, [weight for _, weight in self._ways])[0]
        return make(dict(honest))

    def value(self, honest: object) -> bytes:
        """Likewise, where anything but an object may be meant."""
        if isinstance(honest, dict) and self.random.random() < 0.7:
            return self.json(honest)  # pyright: ignore[reportUnknownArgumentType]  # its keys do not matter
        return self.random.choice(_NASTY_JSON)

    def _honest(self, honest: dict[str, object]) -> bytes:
        return json.dumps(honest).encode()

    def _wrong_type(self, honest: dict[str, object]) -> bytes:
        honest[self._key(honest)] = self.random.choice((*_WRONG, self.text()))
        return json.dumps(honest).encode()

    def _nasty_value(self, honest: dict[str, object]) -> bytes:
        key, mark = self._key(honest), "\x01here\x01"
        honest[key] = mark
        return json.dumps(honest).encode().replace(json.dumps(mark).encode(), self.random.choice(_NASTY_JSON))

    def _truncated(self, honest: dict[str, object]) -> bytes:
        whole = json.dumps(honest).encode()
        return whole[: self.random.randrange(len(whole))]

    def _flipped(self, honest: dict[str, object]) -> bytes:
        whole = bytearray(json.dumps(honest).encode())
        for _ in range(self.random.randint(1, 4)):
            whole[self.random.randrange(len(whole))] = self.random.randrange(256)
        return bytes(whole)

    def _twice(self, honest: dict[str, object]) -> bytes:
        again = json.dumps({self._key(honest): self.text()}).encode()
        return json.dumps(honest).encode()[:-1] + b"," + again[1:]

    def _missing(self, honest: dict[str, object]) -> bytes:
        if honest:
            del honest[self._key(honest)]
        honest[self.text()] = self.text()
        return json.dumps(honest).encode()

    def _garbage(self, _: dict[str, object]) -> bytes:
        return self.random.choice((self.noise(), b"", self.random.choice(_NASTY_JSON)))

    def _nested(self, honest: dict[str, object]) -> bytes:
        depth = self.random.choice(_DEEP)
        closed = self.random.random() < 0.5
        deep = b"[" * depth + (b"]" * depth if closed else b"")
        mark = "\x01here\x01"
        honest[self._key(honest)] = mark
        return json.dumps(honest).encode().replace(json.dumps(mark).encode(), deep)

    def _huge(self, honest: dict[str, object]) -> bytes:
        honest[self._key(honest)] = "x" * self.random.choice(_HUGE)
        return json.dumps(honest).encode()

    def _key(self, honest: dict[str, object]) -> str:
        return self.random.choice(list(honest)) if honest else "data"
