"""``daebus rooms``, on what clients leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from click.testing import CliRunner, Result
from redis import Redis

from daebus.cli import main

CHAT, EMPTY = "daebus:{room:chat:news}", "daebus:{room:lobby}"


@pytest.fixture
def redis(daebus_redis_url: str) -> Iterator[Any]:
    """A room with members at two instances, of which one is dead, and a room without members."""
    with cast("Any", Redis).from_url(daebus_redis_url) as client:
        now = client.time()[0] * 1000
        client.hset(f"{CHAT}:state", mapping={"epoch": "abc", "offset": 7, "change": 3})
        for number in (6, 7):
            client.xadd(f"{CHAT}:history", {"but": "[]", "m": "{}"}, id=f"{number}-0")
        members = {"live1-1": "", "live1-2": "{}", "dead1-1": "{}"}
        client.hset(f"{CHAT}:members", mapping=members)
        client.hset(f"{EMPTY}:state", mapping={"epoch": "def", "offset": 0})
        client.zadd("daebus:rooms:instances", {"live1": now + 60_000, "dead1": now - 60_000})
        client.sadd("daebus:rooms:of:live1", "chat:news")
        client.zadd("daebus:{shop}:instances", {"live1": now + 60_000})
        client.zadd("daebus:{other}:instances", {"other1": now + 60_000})
        yield client


def rooms(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["rooms", *arguments])


@pytest.mark.usefixtures("redis")
def test_rooms_members_and_offsets() -> None:
    result = rooms()
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["ROOM", "MEMBERS", "OFFSET", "KEPT", "EPOCH"],
        ["chat:news", "2", "7", "2", "abc"],
        ["lobby", "0", "0", "0", "def"],
    ]


@pytest.mark.usefixtures("redis")
def test_those_of_one_service_as_json() -> None:
    lines = rooms("shop", "--json").stdout.splitlines()
    expected = {"room": "chat:news", "members": 2, "offset": 7, "kept": 2, "epoch": "abc"}
    assert [msgspec.json.decode(line) for line in lines] == [expected]
    assert rooms("other", "--json").stdout == ""
    unknown = rooms("shp")
    assert unknown.exit_code == 1
    assert "shop" in unknown.stderr
