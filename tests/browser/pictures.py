"""``python -m tests.browser.pictures``: the pictures of examples/chat in docs/, of people who talk.

``--all FOLDER`` writes the page in light and dark, on a desktop and a phone, to a folder instead.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import struct
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.browser.people import PHONE, Person, open_browser
from tests.processes import EXAMPLES, serving

from daebus.testing import private_redis_url

__all__ = ["draw_evening"]

_DOCS = Path(__file__).parents[2] / "docs"
_TALK = (
    ("Grace", "Morning! Is the new replica up?"),
    ("Ada", "Since nine. I killed the first one twice and nobody noticed 🙂"),
    ("Grace", "Not a single message missing?"),
    ("Ada", "Not one. The pages come back to whichever replica is left, and get what they missed"),
    ("Alan", "Last evening from the office, by the way"),
)


def draw_evening(path: Path, width: int = 480, height: int = 320) -> None:
    """Write a picture of an evening, as a PNG."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes(_color(x / width, y / height))
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", size), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts))


def _color(x: float, y: float) -> Sequence[int]:
    for top, color in ((0.82, (38, 24, 66)), (0.7, (74, 44, 110)), (0.6, (122, 66, 138))):
        if y > top + 0.07 * math.sin(7 * x + 20 * top) + 0.03 * math.sin(17 * x + 3 * top):
            return color
    if math.hypot((x - 0.68) * 1.5, y - 0.45) < 0.11:
        return (255, 236, 200)
    return [round(a + (b - a) * y * 1.4) for a, b in ((60, 255), (62, 140), (140, 120))]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


async def _take(folder: Path, chat: str, views: Mapping[str, Mapping[str, Any]]) -> None:
    async with open_browser() as browser:
        people = {name: await Person.come(browser, chat, name) for name in ("Grace", "Ada", "Alan")}
        for name, text in _TALK:
            await people[name].say(text)
            await people["Grace"].sees(text)
        with tempfile.TemporaryDirectory() as drawn:
            draw_evening(Path(drawn) / "evening.png")
            await people["Alan"].send_file(Path(drawn) / "evening.png")
            (Path(drawn) / "notes.pdf").write_bytes(b"x" * 48_200)
            await people["Ada"].send_file(
                Path(drawn) / "notes.pdf", "And the notes of yesterday: https://example.com/notes"
            )
        await people["Grace"].sees("And the notes")
        await people["Grace"].say("Beautiful. I'll read them on the train")
        await people["Ada"].sees("Beautiful")
        for name, options in views.items():
            await people["Alan"].page.get_by_label("Message", exact=True).press_sequentially("So", delay=10)
            person = await Person.come(browser, chat, "Grace", **options)
            await person.page.get_by_text("Beautiful").wait_for()
            await people["Ada"].page.get_by_label("Message", exact=True).press_sequentially("Al", delay=10)
            await person.page.get_by_text("Ada types").wait_for()
            await asyncio.sleep(0.5)
            await person.page.screenshot(path=folder / f"{name}.png")
            await person.page.context.close()


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures")
    parser.add_argument("--all", type=Path, help="the folder for the page in all its forms")
    folder: Path | None = parser.parse_args().all
    light, dark = {"color_scheme": "light"}, {"color_scheme": "dark"}
    views: dict[str, Mapping[str, Any]] = {"chat-desktop": light, "chat-phone": {**PHONE, **dark}}
    if folder is not None:
        folder.mkdir(exist_ok=True)
        views = {"desktop": light, "desktop-dark": dark, "phone": {**PHONE, **light}, "phone-dark": {**PHONE, **dark}}
    with tempfile.TemporaryDirectory() as files:
        url = private_redis_url()
        with serving("chat.app:app", redis_url=url, cwd=EXAMPLES / "chat", CHAT_FILES=files) as chat:
            asyncio.run(_take(folder or _DOCS, chat.url, views))


if __name__ == "__main__":
    main()
