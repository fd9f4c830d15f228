"""The client whose service is killed: it comes back, and says what it has missed."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from redis import Redis
from tests.clients.node import Program, running
from tests.engines import free_port
from tests.processes import DAEBUS, Service, launched, serving

from daebus.testing import private_redis_url

TORTURE = "tests.export.torture:app"


@contextmanager
def on_port(port: int) -> Generator[Service]:
    """A replica on this port."""
    command = (*DAEBUS, "run", TORTURE, "--host", "127.0.0.1", "--port", str(port))
    with launched(*command, DAEBUS_REDIS_URL=private_redis_url()) as service:
        service.wait_for("service started")
        yield service


@pytest.fixture(scope="module")
def other(empty_server: None) -> Generator[Service]:
    """The replica that lives on."""
    with serving(TORTURE, redis_url=private_redis_url()) as service:
        yield service


def post(service: Service, text: str, times: int) -> None:
    answer = httpx.post(f"{service.url}/boards/main", json={"text": text, "times": times}, timeout=60)
    assert answer.json() == times


def kill(service: Service) -> None:
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(30)


@contextmanager
def killed_while_in_the_room(client: Path) -> Generator[tuple[Program, ExitStack, int]]:
    """A client whose service was killed after it had joined the room; and what starts the service anew."""
    port = free_port()
    with ExitStack() as stack:
        first = stack.enter_context(on_port(port))
        member = stack.enter_context(running(client, "room.ts", f"http://127.0.0.1:{port}"))
        member.until(["joined"])
        kill(first)
        member.until(["state", "waiting"])
        yield member, stack, port


def test_requests_in_flight_fail_and_later_ones_wait_for_the_connection(client: Path, empty_server: None) -> None:
    port = free_port()
    with on_port(port) as first, running(client, "room.ts", f"http://127.0.0.1:{port}") as member:
        member.until(["joined"])
        member.tell(b"ask")
        member.until(["asked"])
        kill(first)
        member.until(["failed", True])
        member.tell(b"call")
        with on_port(port):
            member.until(["called"])


def test_all_that_was_missed_comes_in_order(client: Path, other: Service) -> None:
    with killed_while_in_the_room(client) as (member, stack, port):
        post(other, "missed", 4)
        stack.enter_context(on_port(port))
        member.until(["recovered", "full"])
        assert [member.json() for _ in range(4)] == [["notice", "missed", number] for number in range(4)]
        post(other, "new", 1)
        assert member.json() == ["notice", "new", 0]


def test_only_what_is_kept_comes_if_more_was_missed(client: Path, other: Service) -> None:
    with killed_while_in_the_room(client) as (member, stack, port):
        post(other, "missed", 9)
        stack.enter_context(on_port(port))
        member.until(["recovered", "partial"])
        assert [member.json() for _ in range(5)] == [["notice", "missed", number] for number in range(4, 9)]


def test_a_room_whose_messages_are_lost_says_so(client: Path, empty_server: None) -> None:
    with killed_while_in_the_room(client) as (member, stack, port):
        with cast("Any", Redis).from_url(private_redis_url()) as redis:
            redis.flushall()
        replica = stack.enter_context(on_port(port))
        member.until(["recovered", "lost"])
        post(replica, "new", 1)
        member.until(["notice", "new", 0])


def test_a_stream_that_is_cut_is_unavailable(client: Path, empty_server: None) -> None:
    port = free_port()
    with on_port(port) as service, running(client, "stream.ts", f"http://127.0.0.1:{port}") as reader:
        assert reader.json() == "reading"
        kill(service)
        assert reader.json() == "unavailable"


def test_a_stream_over_a_websocket_is_unavailable_and_the_next_one_waits(client: Path, empty_server: None) -> None:
    port = free_port()
    with on_port(port) as service, running(client, "flow.ts", f"http://127.0.0.1:{port}") as reader:
        assert reader.json() == "reading"
        kill(service)
        assert reader.json() == "unavailable"
        reader.tell(b"3")
        with on_port(port):
            assert reader.json() == [0, 1, 2]


def test_a_stream_that_can_be_resumed_goes_on(client: Path, empty_server: None) -> None:
    port = free_port()
    with on_port(port) as first, running(client, "steps.ts", f"http://127.0.0.1:{port}") as reader:
        assert reader.json() == "reading"
        kill(first)
        with on_port(port):
            assert reader.json() == "done"
