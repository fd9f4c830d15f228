"""Safe output of untrusted text on a terminal: control sequences are escaped."""

from __future__ import annotations

import re

__all__ = ["visible", "visible_json"]

# Control characters (C0, DEL, C1), marks that turn the direction of text, and the separators of lines that are no "\n".
_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_in_line = re.compile(f"[{_STEERING}\n]")
_in_lines = re.compile(f"[{_STEERING}]")
_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")
_SHORT = {"\n": r"\n", "\r": r"\r"}


def visible(text: str, *, lines: bool = False, coloured: bool = False) -> str:
    r"""The text with terminal control characters escaped, such as ``\x1b``.

    Args:
        text: Any text.
        lines: Whether it may have several lines.
        coloured: Whether colour codes are kept, as the text was marked up for a terminal.
    """
    steering = _in_lines if lines else _in_line
    if steering.search(text) is None:
        return text
    if not coloured:
        return steering.sub(_written_out, text)
    parts = _COLOUR.split(text)
    parts[::2] = [steering.sub(_written_out, part) for part in parts[::2]]
    return "".join(parts)


def visible_json(body: bytes) -> bytes:
    r"""The same JSON with what would steer a terminal escaped, such as ``\u009b``: only texts can hold it."""
    text = body.decode(errors="replace")
    if _in_lines.search(text) is None:
        return body
    return _in_lines.sub(_as_json, text).encode()


def _written_out(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _as_json(found: re.Match[str]) -> str:
    # Outside of strings, JSON has no control characters except these two, which are not needed on one line.
    return " " if found[0] == "\r" else f"\\u{ord(found[0]):04x}"
