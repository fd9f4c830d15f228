"""The places of listeners in durable channels, also after a rename."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from tests.support import until
from typing_extensions import Unpack

from daebus import Channel, Daebus, Settings
from daebus.channels.listener_groups import ListenerError, ListenerGroups
from daebus.channels.orphans import OrphanWatch
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.timings import Timings
from daebus.declare.policies import ListenOptions
from daebus.errors import NotFound, StartupError, Unavailable
from daebus.operations.dead_letters import DeadLetters
from daebus.operations.handing_over import ListenerChanges
from daebus.protocol.messages import channel_stream, listener_stream
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, private_redis_url, running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class Created(msgspec.Struct):
    number: int


ORDERS = Channel[Created]("orders", durable=True)

Heard = list[tuple[str, int]]


class Shop:
    """The service, each time with other listeners, and what they have heard."""

    def __init__(self) -> None:
        self.heard: Heard = []
        self.errors: list[Exception] = []
        self.app = Daebus("shop", settings=Settings(lease=1.0))

    def listens(self, function: str, **options: Unpack[ListenOptions]) -> Shop:
        async def listener(event: Created) -> None:
            if self.errors:
                raise self.errors[-1]
            self.heard.append((function, event.number))

        listener.__name__ = function
        self.app.listen(ORDERS, **options)(listener)
        return self

    async def handles(self, *events: tuple[str, int]) -> None:
        await until(lambda: len(self.heard) >= len(events))
        assert sorted(self.heard) == sorted(events)


async def publish(service: RunningService, *numbers: int) -> None:
    for number in numbers:
        await service.publish(ORDERS, Created(number))


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    records = [cast("dict[str, Any]", record.msg) for record in caplog.records if isinstance(record.msg, dict)]
    return [record for record in records if str(record.get("event", "")).startswith(event)]


async def groups(redis: Any) -> set[str]:
    return {group["name"].decode() for group in await redis.xinfo_groups(channel_stream("orders"))}


async def is_empty(redis: Any, key: str) -> bool:
    return bool(await redis.xlen(key) == 0)


async def test_a_renamed_function_handles_nothing_twice_and_misses_nothing(redis: Any) -> None:
    """It does not start before somebody says that it was renamed, also while replicas with the old name run."""
    old, forgotten = Shop().listens("on_order"), Shop().listens("send_mail")
    refusal = r"'shop.send_mail' .* has the position of 'shop.on_order'.* that one .*renamed_from='shop.on_order'"
    async with running(old.app) as service:
        await publish(service, 1, 2)
        await old.handles(("on_order", 1), ("on_order", 2))
        with pytest.raises(StartupError, match=refusal):
            async with running(forgotten.app):
                pass
    async with running(Daebus("other")) as service:
        await publish(service, 3)
    with pytest.raises(StartupError, match=refusal):
        async with running(forgotten.app):
            pass
    assert not forgotten.heard
    new = Shop().listens("send_mail", renamed_from="shop.on_order")
    async with running(new.app) as service:
        await publish(service, 4)
        await new.handles(("send_mail", 3), ("send_mail", 4))
    assert await groups(redis) == {"shop:shop.on_order"}


async def test_a_name_stays_when_the_function_does_not(redis: Any) -> None:
    old, new = Shop().listens("on_order", name="mails"), Shop().listens("send_mail", name="mails")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running(old.app))
        await stack.enter_async_context(running(new.app))
        await publish(service, *range(50))
        await until(lambda: len(old.heard) + len(new.heard) >= 50)
    assert sorted(number for _, number in old.heard + new.heard) == list(range(50))
    assert await groups(redis) == {"shop:mails"}


async def test_replicas_with_both_names_share_the_events(redis: Any) -> None:
    old, new = Shop().listens("on_order"), Shop().listens("send_mail", renamed_from="shop.on_order", name="mails")
    async with running(old.app) as service:
        await publish(service, 1)
        await old.handles(("on_order", 1))
        async with running(new.app):
            await publish(service, *range(2, 50))
            await until(lambda: len(old.heard) + len(new.heard) >= 49)
        await publish(service, 50)
        await until(lambda: ("on_order", 50) in old.heard)
    assert sorted(number for _, number in old.heard + new.heard) == list(range(1, 51))
    assert await groups(redis) == {"shop:shop.on_order"}


async def test_a_renamed_listener_keeps_its_place_when_the_code_forgets_its_old_name(redis: Any) -> None:
    for shop in (
        Shop().listens("a", name="a"),
        Shop().listens("b", name="b", renamed_from="a"),
        Shop().listens("b", name="b"),
        Shop().listens("c", name="c", renamed_from="b"),
        Shop().listens("c", name="c", start="latest"),
    ):
        async with running(shop.app) as service:
            await publish(service, 1)
            await until(lambda shop=shop: shop.heard)  # type: ignore[misc]
            assert len(shop.heard) == 1
    assert await groups(redis) == {"shop:a"}
    again = Shop().listens("c", name="c").listens("a", name="a")
    with pytest.raises(StartupError, match="'a' of the durable channel 'orders' has a name that 'c' had before"):
        async with running(again.app):
            pass


@pytest.mark.parametrize(("start", "heard"), [("earliest", [1, 2]), ("latest", [2]), (None, [1, 2])])
async def test_where_a_new_listener_begins(start: Any, heard: list[int]) -> None:
    shop = Shop().listens("on_order", **({} if start is None else {"start": start}))
    async with running(Daebus("other")) as service:
        await publish(service, 1)
        async with running(shop.app):
            await publish(service, 2)
            await shop.handles(*(("on_order", number) for number in heard))


async def test_a_new_listener_that_says_where_it_begins_takes_no_place(redis: Any) -> None:
    async with running(Shop().listens("on_order").app) as service:
        await publish(service, 1)
        await until(lambda: groups(redis))
    shop = Shop().listens("send_mail", start="latest")
    async with running(shop.app) as service:
        await publish(service, 2)
        await shop.handles(("send_mail", 2))
    assert await groups(redis) == {"shop:shop.on_order", "shop:shop.send_mail"}


async def test_a_second_listener_beside_the_first_is_new() -> None:
    shop = Shop().listens("on_order")
    async with running(shop.app) as service:
        await publish(service, 1)
        await shop.handles(("on_order", 1))
    both = Shop().listens("on_order").listens("send_mail")
    async with running(both.app) as service:
        await publish(service, 2)
        await until(lambda: {("on_order", 2), ("send_mail", 2)} <= set(both.heard))
    assert ("on_order", 1) not in both.heard


@pytest.mark.parametrize(
    ("before", "after"),
    [(["a"], ["b"]), (["a", "b"], ["c"]), (["a"], ["b", "c"])],
    ids=["one is gone", "two are gone", "two are new"],
)
async def test_where_it_is_unclear_who_was_renamed_nothing_starts(
    redis: Any, before: list[str], after: list[str]
) -> None:
    old, new = Shop(), Shop()
    for name in before:
        old.listens(name, name=name)
    for name in after:
        new.listens(name, name=name)
    async with running(old.app) as service:
        await publish(service, 1)
    found = await groups(redis)
    with pytest.raises(StartupError, match=r"is new, and .* of 'a'.*renamed_from='a'; .*start='latest'"):
        async with running(new.app):
            pass
    assert await groups(redis) == found


async def test_what_an_old_name_failed_on_comes_back_to_the_new_one(redis: Any) -> None:
    old = Shop().listens("on_order", backoff=0.01)
    old.errors.append(Unavailable("away"))
    again = listener_stream("shop", "orders", "shop.on_order")
    async with running(old.app) as service:
        await publish(service, 1)
        await until(lambda: redis.zcard("daebus:{shop}:retries"))
    new = Shop().listens("send_mail", renamed_from="shop.on_order", backoff=0.01)
    async with running(new.app):
        await new.handles(("send_mail", 1))
        await until(lambda: is_empty(redis, again))


async def test_an_orphaned_listener_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    async with running(Shop().listens("a", name="a").app) as service:
        await publish(service, 1)
    async with running(Daebus("other")) as service:
        await publish(service, 2, 3)
    with caplog.at_level(logging.WARNING):
        async with running(Daebus("shop")):
            (told_of,) = told(caplog, "orphaned listener")
    assert (told_of["channel"], told_of["listener"], told_of["waiting"]) == ("orders", "a", 2)
    assert told_of["since"] is not None
    assert "daebus listeners drop shop orders a" in told_of["remedy"]
    assert "daebus listeners hand-over shop orders a NEW" in told_of["remedy"]


async def test_a_listener_that_another_replica_has_is_no_orphan(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with running(Shop().listens("a", name="a").app), running(Daebus("shop")):
            assert not told(caplog, "orphaned listener")


@asynccontextmanager
async def changing() -> AsyncGenerator[tuple[ListenerGroups, ListenerChanges]]:
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        yield ListenerGroups(node, "shop"), ListenerChanges(node, "shop")


async def test_what_a_service_listens_to() -> None:
    shop = Shop().listens("a", name="a").listens("b", name="b", start="latest")
    async with changing() as (groups_of, _):
        async with running(shop.app) as service:
            await publish(service, 1)
            await shop.handles(("a", 1), ("b", 1))
            await until(lambda: _settled(groups_of))
            states = await groups_of.all()
            assert [(one.listener, one.state, one.instances) for one in states] == [("a", "live", 1), ("b", "live", 1)]
        assert {one.state for one in await groups_of.all()} == {"stopped"}
        async with running(Shop().listens("a", name="a").app):
            states = await groups_of.all()
            assert [(one.listener, one.state) for one in states] == [("a", "live"), ("b", "orphaned")]


async def names(groups_of: ListenerGroups) -> set[str]:
    return {one.listener for one in await groups_of.all()}


async def test_a_renamed_listener_has_the_name_that_was_declared_last_by_a_program_that_lives() -> None:
    timings = Timings(beat=0.1)
    renamed: ListenOptions = {"name": "new", "renamed_from": "old"}
    async with changing() as (groups_of, _):
        async with running(Shop().listens("old", name="old").app, timings=timings):
            assert await names(groups_of) == {"old"}
            async with running(Shop().listens("new", **renamed).app, timings=timings):
                seen: set[str] = set()
                for _ in range(50):  # while both write that they live
                    seen |= await names(groups_of)
                    await asyncio.sleep(0.01)
                assert seen == {"new"}
                async with running(Shop().listens("old", name="old").app, timings=timings):  # it is rolled back
                    assert await names(groups_of) == {"old"}
            assert await names(groups_of) == {"old"}
        assert await names(groups_of) == {"old"}
        async with running(Shop().listens("new", **renamed).app, timings=timings):
            assert await names(groups_of) == {"new"}
        assert await names(groups_of) == {"new"}


async def test_a_name_of_which_no_program_lives_any_more_gives_way_to_the_one_that_lives() -> None:
    timings = Timings(beat=0.1)
    async with changing() as (groups_of, _):
        async with running(Shop().listens("old", name="old").app, timings=timings):
            async with running(Shop().listens("new", name="new", renamed_from="old").app, timings=timings):
                pass
            assert await names(groups_of) == {"old"}
            await asyncio.sleep(0.3)  # it writes down that it is the one
        assert await names(groups_of) == {"old"}


async def _settled(groups_of: ListenerGroups) -> bool:
    return all((one.waiting, one.pending) == (0, 0) for one in await groups_of.all())


async def test_handed_over_before_the_new_name_is_there_it_goes_on_in_place(redis: Any) -> None:
    old, new = Shop().listens("a", name="a"), Shop().listens("b", name="b", start="latest")
    async with running(old.app) as service:
        await publish(service, 1)
        await old.handles(("a", 1))
        async with changing() as (_, changes):
            state, moved = await changes.hand_over("orders", "a", "b")
            assert (state.listener, moved) == ("a", None)
            with pytest.raises(ListenerError, match="'b' already has the position of 'a'"):
                await changes.hand_over("orders", "a", "b")
    async with running(Daebus("other")) as service:
        await publish(service, 2)
    async with running(new.app) as service:
        await publish(service, 3)
        await new.handles(("b", 2), ("b", 3))
    assert await groups(redis) == {"shop:a"}


async def test_handed_over_entries_are_later_than_they_were_also_if_the_clock_was_set_back(redis: Any) -> None:
    old, new = Shop().listens("a", name="a"), Shop().listens("b", name="b", start="latest")
    async with running(old.app):
        await until(lambda: groups(redis))
    seconds, _ = await redis.time()
    ahead = (seconds + 3600) * 1000
    for number in (1, 2):
        await redis.xadd(channel_stream("orders"), {"event": b'{"number": %d}' % number}, id=f"{ahead}-{number}")
    again = {"event": b'{"number": 3}'}
    await redis.xadd(listener_stream("shop", "orders", "a"), again, id=f"{ahead + 5}-0")
    async with running(new.app), changing() as (_, changes):
        _, moved = await changes.hand_over("orders", "a", "b")
        assert moved == 3
        await new.handles(("b", 1), ("b", 2), ("b", 3))
    about = await redis.xinfo_stream(listener_stream("shop", "orders", "b"))
    assert about["last-generated-id"] == b"%d-0" % (ahead + 6)


async def test_handed_over_to_one_with_a_place_of_its_own_nothing_is_lost_or_handled_twice(redis: Any) -> None:
    """What was waiting, in hand, put off and dead is handled by the new one; what both were given, once."""
    old = Shop().listens("a", name="a", retries=1, backoff=3600)
    old.errors.append(Unavailable("away"))
    async with running(old.app) as service:
        await publish(service, 1)
        await until(lambda: redis.zcard("daebus:{shop}:retries"))
        old.errors.append(NotFound("gone"))
        await publish(service, 2)
        await until(lambda: redis.xlen("daebus:{shop}:dead"))
    async with running(Daebus("other")) as service:
        await publish(service, 3, 4)
        await redis.xreadgroup("shop:a", "somebody that died", {channel_stream("orders"): ">"}, count=1)
        new = Shop().listens("b", name="b", start="latest")
        async with running(new.app):
            await publish(service, 5)
            await new.handles(("b", 5))
            async with changing() as (groups_of, changes):
                with pytest.raises(ListenerError, match=r"no listener 'c' of 'orders'; .*listeners list shop"):
                    await changes.hand_over("orders", "c", "b")
                _, moved = await changes.hand_over("orders", "a", "b")
                assert moved == 3
                assert [one.listener for one in await groups_of.all()] == ["b"]
            await until(lambda: len(new.heard) >= 3)
            ((member, _),) = await redis.zrange("daebus:{shop}:retries", 0, -1, withscores=True)
            await redis.zadd("daebus:{shop}:retries", {member: 0})
            await new.handles(("b", 5), ("b", 3), ("b", 4), ("b", 1))
            async with open_node(RedisServer.from_url(private_redis_url())) as node:
                letters = DeadLetters(node, "shop")
                async for letter in letters.all():
                    assert await letters.replay(letter)
            await new.handles(("b", 5), ("b", 3), ("b", 4), ("b", 1), ("b", 2))
    assert await groups(redis) == {"shop:b"}


async def test_one_that_is_at_work_is_neither_dropped_nor_emptied() -> None:
    shop = Shop().listens("a", name="a").listens("b", name="b")
    async with running(shop.app), changing() as (_, changes):
        with pytest.raises(ListenerError, match="'a' is active: an instance has it"):
            await changes.drop("orders", "a")
        with pytest.raises(ListenerError, match="'a' is active"):
            await changes.hand_over("orders", "a", "b")


async def test_a_dropped_listener_leaves_nothing(redis: Any) -> None:
    shop = Shop().listens("a", name="a", backoff=3600)
    shop.errors.append(Unavailable("away"))
    async with running(shop.app) as service:
        await publish(service, 1)
        await until(lambda: redis.zcard("daebus:{shop}:retries"))
    async with changing() as (groups_of, changes):
        await changes.drop("orders", "a")
        assert await groups_of.all() == []
    assert await groups(redis) == set()
    left = {key async for key in redis.scan_iter("daebus:*")}
    assert not left & {b"daebus:{shop}:retries", b"daebus:{shop}:channels", b"daebus:channel:{orders}:listeners"}


@pytest.mark.parametrize("heir", [None, "b"], ids=["dropped", "handed over"])
async def test_an_instance_that_was_frozen_while_its_listener_was_removed_hears_no_more_and_makes_no_group(
    redis: Any, caplog: pytest.LogCaptureFixture, heir: str | None
) -> None:
    timings = Timings(beat=0.3)
    frozen, new = Shop().listens("a", name="a"), Shop().listens("b", name="b", start="latest")
    services = running(frozen.app, timings=timings), running(new.app, timings=timings)
    async with services[0] as service, services[1], changing() as (groups_of, changes):
        await publish(service, 1, 2)
        await frozen.handles(("a", 1), ("a", 2))
        await until(lambda: _settled(groups_of))

        async def removed() -> bool:  # as after 15 s in which it wrote nothing
            members = [member async for member, _ in redis.zscan_iter("daebus:channel:{orders}:listening")]
            await redis.zrem("daebus:channel:{orders}:listening", *(one for one in members if one.endswith(b" a")))
            try:
                await (changes.hand_over("orders", "a", "b") if heir else changes.drop("orders", "a"))
            except ListenerError:  # it has just written that it lives
                return False
            return True

        with caplog.at_level(logging.ERROR):
            await until(removed)
            await until(lambda: told(caplog, "listener dropped or handed over"))
        await publish(service, 3)
        await new.handles(("b", 1), ("b", 2), ("b", 3))
        await asyncio.sleep(0.6)  # it goes on writing down the names of its listeners
        assert await groups(redis) == {"shop:b"}
        assert sorted(frozen.heard) == [("a", 1), ("a", 2)]
        assert await groups_of.group("orders", "a") == f"shop:{heir or 'a'}"
        assert [(one.listener, one.instances) for one in await groups_of.all()] == [("b", 1)]


async def test_a_dropped_listener_that_is_started_anew_is_new(redis: Any) -> None:
    async with running(Shop().listens("a", name="a").app) as service:
        await publish(service, 1)
    async with changing() as (_, changes):
        await changes.drop("orders", "a")
    again = Shop().listens("a", name="a", start="latest")
    async with running(again.app) as service:
        await publish(service, 2)
        await again.handles(("a", 2))
        await redis.xgroup_destroy(channel_stream("orders"), "shop:a")  # which is no drop
        await until(lambda: groups(redis))


async def test_a_program_beside_another_one_of_the_same_service_takes_no_event_of_its_listener() -> None:
    """Whether it is a renamed listener or another program that does not run just now, nobody but a person knows."""
    one = Shop().listens("a", name="a")
    async with running(one.app) as service:
        await publish(service, 1)
        await one.handles(("a", 1))
    with pytest.raises(StartupError, match=r"'b' .* is new, and the channel has the position of 'a'.*renamed_from='a'"):
        async with running(Shop().listens("b", name="b").app):
            pass
    async with running(Shop().listens("b", name="b", start="latest").app):
        pass
    first, second = Shop().listens("a", name="a"), Shop().listens("b", name="b")
    async with running(first.app) as service, running(second.app):
        await publish(service, *range(2, 20))
        await first.handles(*(("a", number) for number in range(2, 20)))
        await second.handles(*(("b", number) for number in range(2, 20)))


async def test_what_is_to_be_handled_again_is_not_looked_through_each_minute_by_each_instance(redis: Any) -> None:
    async with running(Shop().listens("a", name="a").listens("b", name="b").app) as service:
        await publish(service, 1)
    async with open_node(RedisServer.from_url(private_redis_url())) as node:
        watch = OrphanWatch(node, "shop", make_logger())
        await watch.look()
        await redis.config_resetstat()
        await watch.look()
    assert (await redis.info("commandstats"))["cmdstat_zrange"]["calls"] == 1  # the channels


@pytest.mark.parametrize("start", [None, "latest"])
async def test_a_misspelt_old_name_is_told_with_the_name_that_was_probably_meant(redis: Any, start: Any) -> None:
    """Also one that is not the first one: what the listener was called last."""
    for shop in (Shop().listens("f", name="on_order"), Shop().listens("f", name="mail_order", renamed_from="on_order")):
        async with running(shop.app):
            pass
    options: ListenOptions = {"name": "send", "renamed_from": "mail_ordr"}
    if start is not None:
        options["start"] = start
    told = (
        r"renamed_from='mail_ordr' is not the name of a listener that 'shop' has or had there; "
        r"did you mean 'mail_order'\?"
    )
    with pytest.raises(StartupError, match=told):
        async with running(Shop().listens("f", **options).app):
            pass
    assert await groups(redis) == {"shop:on_order"}


async def test_an_old_name_that_a_new_environment_has_never_had_is_no_mistake(
    redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(Shop().listens("f", name="mails", renamed_from="anything").app):
        pass
    assert await groups(redis) == {"shop:mails"}
    with caplog.at_level(logging.WARNING):  # there is another place, which it can hardly have meant
        async with running(Shop().listens("f", name="bills", renamed_from="unheard_of", start="latest").app):
            (told_of,) = told(caplog, "renamed_from= names an unknown listener")
    assert (told_of["listener"], told_of["renamed_from"]) == ("bills", "unheard_of")
    assert await groups(redis) == {"shop:mails", "shop:bills"}
