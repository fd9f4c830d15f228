from __future__ import annotations

import threading
import time

from daebus.declare.running import Running


def test_a_thread_goes_on_until_it_is_stopped() -> None:
    running = Running()
    assert running()
    running.stop()
    assert not running()


def test_a_wait_that_ends_by_itself_says_to_go_on() -> None:
    assert Running().wait(0.001)


def test_a_stop_ends_a_wait_at_once_and_says_so() -> None:
    running = Running()
    waiting = threading.Event()
    results: list[bool] = []

    def work() -> None:
        waiting.set()
        results.append(running.wait(60))

    thread = threading.Thread(target=work)
    thread.start()
    assert waiting.wait(5)
    started = time.monotonic()
    running.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert results == [False]
    assert time.monotonic() - started < 5


def test_a_wait_after_the_stop_does_not_wait() -> None:
    running = Running()
    running.stop()
    started = time.monotonic()
    assert not running.wait(60)
    assert time.monotonic() - started < 5
