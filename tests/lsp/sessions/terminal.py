"""A program in a terminal of tmux: keys go in, screens come out, as text or as a picture."""

from __future__ import annotations

import html
import re
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

__all__ = ["Terminal", "draw", "opened"]

COLUMNS, ROWS = 104, 26
PATIENCE = 60.0
FOREGROUND, BACKGROUND = "#d5d8df", "#15181e"
WIDTH, HEIGHT, MARGIN = 8.4, 18, 12
# The sixteen colours that a terminal has by their numbers.
NAMED = (
    *("#15181e", "#e5786d", "#8fc379", "#e5c07b", "#6fa8dc", "#c58fdc", "#6cc5c0", "#d5d8df"),
    *("#6b7280", "#f29a90", "#a8d997", "#f0d399", "#8fc0ee", "#d8aeea", "#8fdcd7", "#ffffff"),
)
_SGR = re.compile(r"\x1b\[([\d;:]*)m")


@dataclass(frozen=True)
class Style:
    """How a piece of a line looks."""

    foreground: str = FOREGROUND
    background: str = BACKGROUND
    bold: bool = False
    italic: bool = False
    underlined: bool = False
    reversed: bool = False

    @property
    def colours(self) -> tuple[str, str]:
        """The colours of the text and behind it."""
        return (self.background, self.foreground) if self.reversed else (self.foreground, self.background)


class Terminal:
    """A terminal of tmux.

    Args:
        socket: The name of its server, which is its own.
    """

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def type(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-t", "0", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys, such as ``Escape`` or ``C-x``."""
        self._tmux("send-keys", "-t", "0", *keys)

    def text(self) -> str:
        """The screen as text."""
        return self._tmux("capture-pane", "-p", "-t", "0")

    def until(self, *parts: str, gone: Sequence[str] = ()) -> None:
        """Wait until the screen has some parts, and others no more, and does not change."""
        end, last = time.monotonic() + PATIENCE, ""
        while time.monotonic() < end:
            now = self.text()
            if now == last and all(part in now for part in parts) and not any(part in now for part in gone):
                return
            last = now
            time.sleep(0.1)
        raise TimeoutError(f"The terminal does not show {parts}:\n{last}")

    def picture(self) -> str:
        """The screen as SVG."""
        return draw(self._tmux("capture-pane", "-e", "-p", "-t", "0").split("\n")[:ROWS])

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def opened(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Generator[Terminal]:
    """A terminal in which a command runs."""
    socket = f"daebus-{uuid4().hex[:8]}"
    variables = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    size = ("-x", str(COLUMNS), "-y", str(ROWS))
    # No settings of this machine, and all colours.
    start = ["tmux", "-L", socket, "-f", "/dev/null", "new-session", "-d", *size, "-c", str(folder), *variables]
    subprocess.run([*start, *command], check=True)
    try:
        subprocess.run(["tmux", "-L", socket, "set", "-g", "status", "off"], check=True)
        yield Terminal(socket)
    finally:
        subprocess.run(["tmux", "-L", socket, "kill-server"], check=False, capture_output=True)


def draw(lines: Sequence[str]) -> str:
    """Lines with the escape sequences of a terminal as SVG."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    style = Style()
    behind: list[str] = []
    texts: list[str] = []
    for number, line in enumerate(lines):
        column, top = 0, MARGIN + number * HEIGHT
        for piece, style in _pieces(line, style):  # noqa: B020  # a style lasts over the end of a line
            left = MARGIN + column * WIDTH
            foreground, background = style.colours
            if background != BACKGROUND:
                box = f'x="{left:.1f}" y="{top}" width="{len(piece) * WIDTH:.1f}" height="{HEIGHT}"'
                behind.append(f'<rect {box} fill="{background}"/>')
            if piece.strip():
                texts.append(_text(piece, left, top + HEIGHT * 0.75, style, foreground))
            column += len(piece)
    size = f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}"'
    font = 'font-family="ui-monospace, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f'<rect width="100%" height="100%" rx="6" fill="{BACKGROUND}"/>',
            *behind,
            f"<g {font}>",
            *texts,
            "</g>",
            "</svg>\n",
        )
    )


def _text(piece: str, left: float, base: float, style: Style, colour: str) -> str:
    start = len(piece) - len(piece.lstrip())
    shown = piece.strip()
    more = ' font-weight="bold"' * style.bold + ' font-style="italic"' * style.italic
    more += ' text-decoration="underline"' * style.underlined
    # The length keeps the columns in line, whatever font the reader has.
    place = f'x="{left + start * WIDTH:.1f}" y="{base:.1f}" textLength="{len(shown) * WIDTH:.1f}"'
    return f'<text {place} fill="{colour}"{more} xml:space="preserve">{html.escape(shown)}</text>'


def _pieces(line: str, style: Style) -> Iterator[tuple[str, Style]]:
    at = 0
    for found in _SGR.finditer(line):
        if found.start() > at:
            yield line[at : found.start()], style
        style = _styled(style, [int(part or 0) for part in re.split("[;:]", found[1])])
        at = found.end()
    if at < len(line):
        yield line[at:], style
    yield "", style


_SWITCHES: Mapping[int, Callable[[Style], Style]] = {
    1: lambda style: replace(style, bold=True),
    3: lambda style: replace(style, italic=True),
    4: lambda style: replace(style, underlined=True),
    7: lambda style: replace(style, reversed=True),
    22: lambda style: replace(style, bold=False),
    23: lambda style: replace(style, italic=False),
    24: lambda style: replace(style, underlined=False),
    27: lambda style: replace(style, reversed=False),
}


def _styled(style: Style, codes: list[int]) -> Style:
    """The style after the codes of one sequence."""
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = Style()
        elif code in _SWITCHES:
            style = _SWITCHES[code](style)
        elif code in (38, 48):
            colour = _colour(codes)
            style = replace(style, foreground=colour) if code == 38 else replace(style, background=colour)
        elif code in (39, 49):
            style = replace(style, foreground=FOREGROUND) if code == 39 else replace(style, background=BACKGROUND)
        elif 30 <= code % 60 < 38 or 40 <= code % 60 < 48:
            colour = NAMED[code % 10 + 8 * (code >= 90)]
            is_text = 30 <= code % 60 < 38
            style = replace(style, foreground=colour) if is_text else replace(style, background=colour)
    return style


def _colour(codes: list[int]) -> str:
    """A colour by its number among 256, or by its parts."""
    if codes.pop(0) == 2:
        return "#{:02x}{:02x}{:02x}".format(*(codes.pop(0) for _ in range(3)))
    number = codes.pop(0)
    if number < 16:
        return NAMED[number]
    if number >= 232:
        return "#{0:02x}{0:02x}{0:02x}".format(8 + 10 * (number - 232))
    levels = (0, 95, 135, 175, 215, 255)
    number -= 16
    return "#{:02x}{:02x}{:02x}".format(*(levels[number // size % 6] for size in (36, 6, 1)))
