"""A large upload and a large download are never whole in the memory of the service."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import httpx
import pytest
from tests.processes import serving

from daebus.testing import private_redis_url

SIZE = 200_000_000
RAW = 80_000_000  # more than the clients of one process may occupy
MOST = 40_000_000  # bytes of memory that a transfer may take; whole, the file would take five times as much
BOUNDARY = "a-boundary"

APP = """\
import zlib
from typing import Any
from litestar import Request
from litestar.response import File
from daebus import Daebus, DaebusHttp, HttpLimits
from daebus.files import read_parts

app = Daebus("large")
app.attach(DaebusHttp(limits=HttpLimits(body_timeout=600)))

@app.route("/raw", methods=["PUT"], request_max_body_size=300_000_000)
async def put_raw(request: Request[Any, Any, Any]) -> str:
    digest = 0
    async for chunk in request.stream():
        digest = zlib.crc32(chunk, digest)
    return str(digest)

@app.route("/form", methods=["POST"], request_max_body_size=300_000_000)
async def post_form(request: Request[Any, Any, Any]) -> str:
    digest = 0
    with open("file.bin", "wb") as file:
        async for part in read_parts(request):
            async for chunk in part:
                digest = zlib.crc32(chunk, digest)
                file.write(chunk)
    return str(digest)

@app.route("/file")
async def get_file() -> File:
    return File("file.bin", filename="file.bin")
"""


def peak(pid: int) -> int:
    """The most memory, in bytes, that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def content(size: int = SIZE) -> Iterator[bytes]:
    chunk = bytes(range(250)) * 4000
    for _ in range(size // len(chunk)):
        yield chunk


def digest_of(chunks: Iterator[bytes]) -> int:
    return reduce(lambda known, chunk: zlib.crc32(chunk, known), chunks, 0)


def form() -> Iterator[bytes]:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'
    yield head.encode()
    yield from content()
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_200_mb_in_little_memory(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(APP)
    with serving("large:app", redis_url=private_redis_url(), cwd=tmp_path) as service:
        port = service.wait_for("listening")["port"]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
            assert http.get("/file").status_code == 500  # everything that a first request loads is loaded
            before = peak(service.process.pid)
            assert http.put("/raw", content=content(RAW)).text == str(digest_of(content(RAW)))
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            assert http.post("/form", content=form(), headers=kind).text == str(digest_of(content()))
            received = 0
            with http.stream("GET", "/file") as response:
                for chunk in response.iter_bytes():
                    received += len(chunk)
            assert received == SIZE
            part = http.get("/file", headers={"Range": f"bytes={SIZE - 250}-"})
            assert (part.status_code, part.content) == (206, bytes(range(250)))
        assert peak(service.process.pid) - before < MOST
