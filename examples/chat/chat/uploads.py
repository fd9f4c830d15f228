"""Files that were sent to rooms: on a disk that all replicas share."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from chat.contracts import Upload
from daebus.errors import NotFound

OTHER = "application/octet-stream"
SHOWN = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


class Uploads:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def store(self, name: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Write a file chunk by chunk, as it comes; one that is broken off leaves nothing behind."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file_id = secrets.token_urlsafe(16)
        part, size = self._folder / f"{file_id}.part", 0
        try:
            with part.open("wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                    size += len(chunk)
            part.rename(self._folder / file_id)
        finally:
            part.unlink(missing_ok=True)
        # The type is ours: what a sender calls an image may be a page with scripts.
        return Upload(file_id, name, size, SHOWN.get(Path(name).suffix.lower(), OTHER))

    def find(self, file_id: str) -> Path:
        """Where a file lies. Raises `NotFound`."""
        path = self._folder / file_id
        if path.parent != self._folder or not path.is_file() or path.suffix == ".part":
            raise NotFound("There is no such file")
        return path
