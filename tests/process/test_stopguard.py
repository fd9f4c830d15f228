"""A process ends after the stop of its service, whatever its threads do: real processes, real signals."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from tests.processes import DAEBUS, launched
from tests.support import until

KEPT_ALIVE = "threads keep the process alive after the stop: it exits"
BODY = """
import os, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from daebus import Daebus, Settings

app = Daebus("service", service="service", settings=Settings(stop_timeout=0.5))
jobs = ThreadPoolExecutor(2, thread_name_prefix="jobs")
jobs.submit(int).result()  # its thread is older than the service
over = threading.Event()

def stuck() -> None:
    time.sleep(1000)

@app.on_start()
async def begin() -> None:
    jobs.submit(stuck)
    threading.Thread(target=stuck, name="made").start()

def take_time() -> None:
    over.wait()
    time.sleep(5)
    Path(os.environ["PATIENT"]).touch()

if __name__ == "__main__":
    threading.Thread(target=take_time).start()
    app.run()
    over.set()
"""


async def test_threads_that_never_return_do_not_keep_the_process_alive(tmp_path: Path, daebus_redis_url: str) -> None:
    """Those of an executor too, for which every program waits when it exits. It takes the seconds of an overdue stop.

    The threads of a program that are older than its service may take longer.
    """
    program, done = tmp_path / "service.py", tmp_path / "done"
    program.write_text(BODY)
    place = f"{program.relative_to(tmp_path.parent)}:{BODY.splitlines().index('    time.sleep(1000)') + 1} in stuck"
    python, run = (sys.executable, str(program)), (*DAEBUS, "run", f"{program}:app")
    starts: list[tuple[tuple[str, ...], dict[str, str], int]] = [
        (python, {"PATIENT": str(done)}, 1),
        (run, {}, 1),
        ((*run, "--workers=2"), {}, 2),
    ]
    with ExitStack() as stack:
        services = [
            stack.enter_context(
                launched(*command, cwd=tmp_path.parent, DAEBUS_REDIS_URL=daebus_redis_url, **environment)
            )
            for command, environment, _ in starts
        ]
        for service, (_, _, processes) in zip(services, starts, strict=True):
            await until(lambda: len(service.lines("service started")) == processes, 120)  # noqa: B023
        for service in services:
            service.process.terminate()
        for service, (_, _, processes) in zip(services, starts, strict=True):
            await until(lambda: service.process.poll() is not None, 30)  # noqa: B023
            assert service.process.returncode == 1, service.text()
            told = service.lines(level="critical")
            assert [line["event"] for line in told] == [KEPT_ALIVE] * processes, service.text()
            for line in told:
                assert line["unended"] == [f"jobs_0 at {place}", f"made at {place}"]
        assert done.exists()
