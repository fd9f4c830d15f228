"""``daebus dead``, on letters as services leave them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from click.testing import CliRunner, Result
from redis import Redis
from tests.support import raw_redis, until

from daebus import Channel, Daebus
from daebus.cli import main
from daebus.testing import private_redis_url, running

WORK = "daebus:{shop}:action:work"
AGAIN = "daebus:{shop}:listener:orders:shop.on_order"
DEAD = "daebus:{shop}:dead"

REQUEST = {"action": "work", "payload": {"id": "ä"}, "reply_to": "daebus:reply:x", "deadline": 1, "request_id": "r1"}
COMMON = {"service": "shop", "code": "internal", "error": "It failed", "deliveries": 6, "sent": 1, "instance": "i"}
TRACEBACK = """Traceback (most recent call last):
  File "/srv/daebus/dispatch.py", line 7, in dispatch
    await handler(event)
  File "/srv/shop/mails.py", line 12, in send
    raise NoRecipient(event.user)
shop.mails.NoRecipient: nobody \x9b31mred"""
WHY = {
    "exception": "shop.mails.NoRecipient",
    "reason": "nobody \x9b31mred",
    "traceback": TRACEBACK,
    "failed": 2000,
    "sender": "users@9f2c",
    "event_id": "e1",
    "headers": '{"x-tenant":"acme"}',
}
LETTERS = [
    ("100-0", {**COMMON, "action": "work", "request_id": "r1", "request": msgspec.json.encode(REQUEST)}),
    ("100-1", {**COMMON, "action": "other", "request_id": "", "request": b"\xffnonsense"}),
    (
        "90000-0",
        {**COMMON, **WHY, "channel": "orders", "listener": "shop.on_order", "request_id": "t1", "event": b'{\n"n": 7}'},
    ),
]


@pytest.fixture
def redis(daebus_redis_url: str) -> Iterator[Any]:
    with cast("Any", Redis).from_url(daebus_redis_url) as client:
        for entry_id, fields in LETTERS:
            client.xadd(DEAD, fields, id=entry_id)
        client.xgroup_create("daebus:channel:{orders}", "shop:shop.on_order", mkstream=True)
        yield client


def dead(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead", *arguments])


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [msgspec.json.decode(line, type=dict[str, object]) for line in result.stdout.splitlines()]


def ids(redis: Any) -> list[bytes]:
    return [entry_id for entry_id, _ in redis.xrange(DEAD)]


@pytest.mark.usefixtures("redis")
def test_list() -> None:
    found = lines(dead("list", "--json", "shop"))
    assert [letter["id"] for letter in found] == ["100-0", "100-1", "90000-0"]
    assert found[2] == {
        "id": "90000-0",
        "channel": "orders",
        "listener": "shop.on_order",
        "code": "internal",
        "error": "It failed",
        "deliveries": 6,
        "exception": "shop.mails.NoRecipient",
        "reason": "nobody \x9b31mred",
        "where": "/srv/shop/mails.py:12 in send",
        "sent": "1970-01-01T00:00:00.001Z",
        "failed": "1970-01-01T00:00:02.000Z",
        "died": "1970-01-01T00:01:30.000Z",
        "sender": "users@9f2c",
        "instance": "i",
        "request_id": "t1",
        "event_id": "e1",
        "headers": {"x-tenant": "acme"},
    }
    assert [letter["id"] for letter in lines(dead("list", "--json", "shop", "--action", "other"))] == ["100-1"]
    assert [letter["id"] for letter in lines(dead("list", "--json", "shop", "--listener", "shop.on_order"))] == [
        "90000-0"
    ]


@pytest.mark.usefixtures("redis")
def test_a_line_for_each_letter_says_why_and_when_and_moves_no_cursor() -> None:
    result = dead("list", "shop")
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert first == (
        "100-0  action work  internal  It failed  deliveries=6 sent=1970-01-01T00:00:00.001Z "
        "died=1970-01-01T00:00:00.100Z sender=daebus:reply:x instance=i request_id=r1"
    )
    assert second.startswith("100-1  action other  internal  It failed  deliveries=6")
    assert third == (
        "90000-0  listen orders shop.on_order  internal  "
        r"shop.mails.NoRecipient: nobody \x9b31mred at /srv/shop/mails.py:12 in send  "
        "deliveries=6 sent=1970-01-01T00:00:00.001Z failed=1970-01-01T00:00:02.000Z died=1970-01-01T00:01:30.000Z "
        "sender=users@9f2c instance=i request_id=t1 event_id=e1"
    )
    assert "\x9b" not in dead("list", "--json", "shop").stdout


@pytest.mark.usefixtures("redis")
def test_show_for_people_ends_with_the_traceback() -> None:
    result = dead("show", "shop", "90000-0")
    assert result.exit_code == 0
    facts, traceback = result.stdout.split("\n\n")
    assert facts.splitlines()[:3] == ["service:     shop", "id:          90000-0", "channel:     orders"]
    assert facts.splitlines()[-2:] == ['headers:     {"x-tenant":"acme"}', 'payload:     {"n":7}']
    assert traceback == TRACEBACK.replace("\x9b", "\\x9b") + "\n"


@pytest.mark.usefixtures("redis")
def test_a_service_of_which_nothing_is_known_is_an_error() -> None:
    for arguments in (
        ("list", "shopp"),
        ("show", "shopp", "100-0"),
        ("replay", "shopp", "--all"),
        ("drop", "shopp", "--all"),
    ):
        result = dead(*arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "No service 'shopp' has ever run on this server; did you mean 'shop'?" in result.stderr


@pytest.mark.usefixtures("redis")
def test_a_sentence_that_ends_with_a_question_has_no_full_stop_after_it() -> None:
    assert "did you mean 'shop'?\n" in dead("list", "shopp").stderr
    assert (
        "did you mean 'socket_timeout'? Write redis://"
        in dead("list", "shop", "--redis-url", "redis://localhost/0?socket_timout=1").stderr
    )


@pytest.mark.parametrize("arguments", [("list",), ("replay",), ("drop",)])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            ("--action", "wrok"),
            "The service 'shop' has no action 'wrok', and no dead letter of one; did you mean 'work'?",
        ),
        (("--action", "idel"), "did you mean 'idle'?"),
        (("--listener", "shop.on_ordr"), "no listener 'shop.on_ordr', and no dead letter of one; did you mean"),
    ],
)
def test_a_handler_of_which_nothing_is_known_is_an_error(
    redis: Any, arguments: tuple[str, ...], name: tuple[str, str], told: str
) -> None:
    redis.xgroup_create("daebus:{shop}:action:idle", "daebus", mkstream=True)
    redis.xadd("daebus:{shop}:action:idel", {"request": "{}"})  # somebody has misspelt it there, too
    result = dead(*arguments, "shop", *name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


def test_a_handler_that_has_no_dead_letters_is_no_error(redis: Any) -> None:
    redis.xgroup_create("daebus:{shop}:action:idle", "daebus", mkstream=True)
    redis.zadd("daebus:{shop}:channels", {"orders": 1})
    redis.xgroup_create("daebus:channel:{orders}", "shop:shop.idle", mkstream=True)
    for name in (("--action", "idle"), ("--listener", "shop.idle")):
        result = dead("list", "shop", *name)
        assert (result.exit_code, result.output) == (0, "")


def test_the_letter_of_an_invalid_event_shows_all_its_mistakes(redis: Any) -> None:
    mistakes = [
        {"in": "payload", "path": "$.id", "problem": "Expected `int`, got `str`"},
        {"in": "payload", "path": "$.lines[1]", "problem": "\x9bMissing"},
    ]
    details = msgspec.json.encode({"errors": mistakes})
    redis.xadd(DEAD, {**COMMON, "channel": "orders", "listener": "l", "event": b"{}", "details": details}, id="95000-0")
    redis.xadd(DEAD, {**COMMON, "action": "work", "request": b"{}", "details": b'{"limit":3}'}, id="95000-1")
    assert lines(dead("list", "--json", "shop", "--listener", "l"))[0]["details"] == {"errors": mistakes}
    assert lines(dead("show", "--json", "shop", "95000-0"))[0]["details"] == {"errors": mistakes}
    (line,) = dead("list", "shop", "--listener", "l").stdout.splitlines()
    assert '{"in":"payload","path":"$.id","problem":"Expected `int`, got `str`"}' in line
    assert "\x9b" not in line
    facts = dead("show", "shop", "95000-0").stdout.splitlines()
    assert "details:     payload $.id: Expected `int`, got `str`" in facts
    assert "details:     payload $.lines[1]: \\x9bMissing" in facts
    assert 'details:     {"limit":3}' in dead("show", "shop", "95000-1").stdout.splitlines()


def test_a_letter_of_a_listener_that_is_gone_is_not_replayed(redis: Any) -> None:
    redis.xgroup_destroy("daebus:channel:{orders}", "shop:shop.on_order")
    result = dead("replay", "shop", "--all")
    assert result.exit_code == 1
    assert [msgspec.json.decode(line) for line in result.stdout.splitlines()] == [{"id": "100-0"}, {"id": "100-1"}]
    assert (
        "90000-0: It would not be handled: the service 'shop' has no listener 'shop.on_order' of 'orders'"
        in result.stderr
    )
    assert "2 replayed" in result.stderr
    assert ids(redis) == [b"90000-0"]


def test_a_letter_of_a_listener_that_no_program_has_any_more_is_not_replayed(redis: Any) -> None:
    """Its group is there, as nobody has dropped it, and the service runs without it."""
    seconds, _ = redis.time()
    redis.zadd("daebus:{shop}:instances", {"instance1": (seconds + 60) * 1000})
    redis.zadd("daebus:{shop}:channels", {"orders": seconds * 1000})
    result = dead("replay", "shop", "90000-0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "90000-0: It would not be handled: the service 'shop' has no listener 'shop.on_order' of 'orders' any more. "
        "Deploy it again; or hand its position and waiting events over to another one, "
        "`daebus listeners hand-over shop orders shop.on_order NEW`, and then replay the letter; "
        "or drop the letter with `daebus dead drop`."
    ) in result.stderr
    assert ids(redis) == [b"100-0", b"100-1", b"90000-0"]
    assert not redis.exists(AGAIN)
    redis.zadd("daebus:channel:{orders}:listening", {"instance1 shop:shop.on_order mails": seconds * 1000})
    assert lines(dead("replay", "shop", "90000-0")) == [{"id": "90000-0"}]


def test_what_is_replayed_while_the_service_does_not_run_is_told_to_wait(redis: Any) -> None:
    assert dead("replay", "shop", "90000-0").stderr == (
        "1 replayed\nNo instance of 'shop' runs now: they wait until one with their handler starts.\n"
    )
    seconds, _ = redis.time()
    redis.zadd("daebus:{shop}:instances", {"instance1": (seconds + 60) * 1000})
    assert dead("replay", "shop", "100-0").stderr == "1 replayed\n"
    assert dead("drop", "shop", "100-1").stderr == "1 dropped\n"


def test_list_of_many(redis: Any) -> None:
    for number in range(205):
        redis.xadd(DEAD, LETTERS[0][1], id=f"100000-{number}")
    assert len({letter["id"] for letter in lines(dead("list", "--json", "shop"))}) == 208


@pytest.mark.usefixtures("redis")
def test_show() -> None:
    (letter,) = lines(dead("show", "--json", "shop", "100-0"))
    assert (letter["service"], letter["action"], letter["instance"], letter["request_id"]) == (
        "shop",
        "work",
        "i",
        "r1",
    )
    assert letter["payload"] == {"id": "ä"}
    (letter,) = lines(dead("show", "--json", "shop", "100-1"))
    assert letter["payload"] == "\ufffdnonsense"
    (letter,) = lines(dead("show", "--json", "shop", "90000-0"))
    assert (letter["payload"], letter["request_id"]) == ({"n": 7}, "t1")


def test_replay_of_a_request_wants_no_reply(redis: Any) -> None:
    result = dead("replay", "shop", "100-0")
    assert lines(result) == [{"id": "100-0"}]
    assert result.stderr.startswith("1 replayed\n")
    ((_, fields),) = redis.xrange(WORK)
    assert set(fields) == {b"request"}
    request = msgspec.json.decode(fields[b"request"], type=dict[str, object])
    assert request == {"action": "work", "payload": {"id": "ä"}, "request_id": "r1"}
    assert ids(redis) == [b"100-1", b"90000-0"]


def test_replay_of_an_event_goes_to_the_listener_that_failed(redis: Any) -> None:
    assert lines(dead("replay", "shop", "--listener", "shop.on_order")) == [{"id": "90000-0"}]
    ((_, fields),) = redis.xrange(AGAIN)
    about = {b"trace_id": b"t1", b"event_id": b"e1", b"sender": b"users@9f2c", b"headers": b'{"x-tenant":"acme"}'}
    assert fields == {b"event": b'{\n"n": 7}', **about}
    assert redis.xlen("daebus:channel:{orders}") == 0


def test_replay_and_drop_of_all(redis: Any) -> None:
    assert [line["id"] for line in lines(dead("replay", "shop", "--action", "other"))] == ["100-1"]
    result = dead("drop", "shop", "--all")
    assert [line["id"] for line in lines(result)] == ["100-0", "90000-0"]
    assert result.stderr == "2 dropped\n"
    assert ids(redis) == []
    assert redis.xlen("daebus:{shop}:action:other") == 1
    assert not redis.exists(WORK)


def test_nothing_is_changed_where_one_of_the_ids_is_unknown(redis: Any) -> None:
    for wrong in ("7-0", "nonsense"):
        result = dead("drop", "shop", "100-0", wrong)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"There is no dead letter {wrong}" in result.stderr
    assert len(ids(redis)) == 3


@pytest.mark.parametrize("arguments", [(), ("1-0", "--all"), ("--all", "--action", "work")])
def test_what_is_meant_must_be_said(redis: Any, arguments: tuple[str, ...]) -> None:
    for command in ("replay", "drop"):
        result = dead(command, "shop", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Choose the dead letters" in result.stderr
    assert len(ids(redis)) == 3


@pytest.mark.usefixtures("daebus_redis_url")
async def test_of_a_handler_that_took_too_long_the_line_is_shown_at_which_it_waited() -> None:
    app = Daebus("slow")

    @app.listen(Channel[str]("late", durable=True), timeout=0.05, retries=0)
    async def on_late(event: str) -> None:
        await asyncio.Event().wait()

    async with running(app) as service, raw_redis(private_redis_url()) as client:
        await service.publish(Channel[str]("late", durable=True), "x")
        await until(lambda: client.xlen("daebus:{slow}:dead"))
    result = await asyncio.to_thread(dead, "list", "slow")
    assert result.exit_code == 0, result.output
    line = on_late.__code__.co_firstlineno + 2
    assert "listen late did not finish in 0.05 s" in result.stdout
    assert f"test_dead.py:{line} in on_late" in result.stdout
