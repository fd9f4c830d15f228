"""``daebus listeners``, on what services leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from click.testing import CliRunner, Result
from redis import Redis

from daebus.cli import main

ORDERS = "daebus:channel:{orders}"


@pytest.fixture
def redis(daebus_redis_url: str) -> Iterator[Any]:
    """Of two listeners one is at work, and the other one, that was renamed once, is not."""
    with cast("Any", Redis).from_url(daebus_redis_url) as client:
        seconds, _ = client.time()
        for number in (1, 2, 3):
            client.xadd(ORDERS, {"event": number}, id=f"{number}000-0")
        client.xgroup_create(ORDERS, "shop:mails", "3000-0", entries_read=3)
        client.xgroup_create(ORDERS, "shop:old", "1000-0", entries_read=1)
        client.xreadgroup("shop:old", "dead", {ORDERS: ">"}, count=1)
        client.hset(
            f"{ORDERS}:listeners", mapping={"shop:old": "shop:old", "shop:older": "shop:old", "shop:old name": "older"}
        )
        client.zadd(f"{ORDERS}:listening", {"instance1 shop:mails mails": seconds * 1000})
        client.zadd("daebus:{shop}:channels", {"orders": seconds * 1000})
        client.zadd("daebus:{shop}:instances", {"instance1": seconds * 1000})
        client.xadd("daebus:{shop}:listener:orders:old", {"event": 0})
        yield client


def listeners(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["listeners", *arguments])


@pytest.mark.usefixtures("redis")
def test_list() -> None:
    result = listeners("list", "shop")
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["CHANNEL", "LISTENER", "STATE", "INSTANCES", "WAITING", "PENDING", "RETRYING", "OLDEST"],
        ["orders", "mails", "live", "1", "0", "0", "0", "-"],
        ["orders", "older", "orphaned", "0", "1", "1", "1", "1970-01-01T00:00:02.000Z"],
    ]
    result = listeners("list", "shop", "--json")
    found = [msgspec.json.decode(line, type=dict[str, object]) for line in result.stdout.splitlines()]
    assert found[1] == {
        "channel": "orders",
        "listener": "older",
        "group": "shop:old",
        "state": "orphaned",
        "instances": 0,
        "waiting": 1,
        "pending": 1,
        "retrying": 1,
        "oldest": "1970-01-01T00:00:02.000Z",
    }


def test_hand_over(redis: Any) -> None:
    result = listeners("hand-over", "shop", "orders", "older", "newest")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "newest continues at the position of older: 1 events waiting, 1 pending, 1 waiting for a retry\n"
    )
    assert redis.hget(f"{ORDERS}:listeners", "shop:newest") == b"shop:old"
    result = listeners("hand-over", "shop", "orders", "old", "newer")
    assert result.stderr.startswith("newer continues at the position of old (now called older): ")
    result = listeners("hand-over", "shop", "orders", "mails", "newest")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'mails' is active: an instance has it." in result.stderr


def test_drop(redis: Any) -> None:
    result = listeners("drop", "shop", "orders", "old")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "old (now called older) dropped, with 1 events waiting, 1 pending, 1 waiting for a retry\n"
    assert [group["name"] for group in redis.xinfo_groups(ORDERS)] == [b"shop:mails"]
    assert not redis.exists("daebus:{shop}:listener:orders:old", f"{ORDERS}:listeners")
    redis.hset(f"{ORDERS}:listeners", "shop:letters", "shop:mails")
    result = listeners("drop", "shop", "orders", "letters")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'letters' (now called 'mails') is active: an instance has it." in result.stderr
    result = listeners("drop", "shop", "orders", "mail")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no listener 'mail' of 'orders'; did you mean 'mails'?" in result.stderr


@pytest.mark.usefixtures("redis")
def test_an_unknown_service_is_an_error() -> None:
    for arguments in (
        ("list", "shopp"),
        ("drop", "shopp", "orders", "old"),
        ("hand-over", "shopp", "orders", "a", "b"),
    ):
        result = listeners(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "No service 'shopp' has ever run on this server; did you mean 'shop'?" in result.stderr
