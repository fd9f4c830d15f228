"""Dead letters as an operator sees them: in order, in pages, one by one, replayed once, dropped once."""

from __future__ import annotations

import msgspec
import pytest
from tests.support import until

from daebus import Action, Channel, Context, Daebus
from daebus.channels.listener_groups import ListenerError
from daebus.connection.node import Node
from daebus.errors import Conflict
from daebus.operations.dead_letters import DeadLetters
from daebus.protocol.messages import channel_stream, dead_letters
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


class Pay(msgspec.Struct):
    number: int


PAY = Action[Pay, None]("pay", service="payments")
ORDERS = Channel[Pay]("orders", durable=True)


class Payments:
    """A service whose handlers refuse until it is mended."""

    def __init__(self) -> None:
        self.is_mended = False
        self.paid: list[int] = []
        self.heard: list[int] = []
        self.app = Daebus("payments")

        @self.app.action(PAY)
        async def pay(data: Pay) -> None:
            self._take(data, self.paid)

        @self.app.listen(ORDERS)
        async def mails(event: Pay) -> None:
            self._take(event, self.heard)

    def _take(self, data: Pay, taken: list[int]) -> None:
        if not self.is_mended:
            raise Conflict(f"{data.number} is refused")
        taken.append(data.number)


async def numbers(letters: DeadLetters) -> list[int]:
    return [msgspec.json.decode(letter.payload, type=Pay).number async for letter in letters.all()]


async def test_a_request_is_listed_found_and_replayed_once(node: Node) -> None:
    payments, letters = Payments(), DeadLetters(node, "payments")
    async with running(payments.app) as service:
        await service.send(PAY, Pay(1), headers={"tenant": "acme"})
        await until(lambda: _count(node, 1))
        (letter,) = [letter async for letter in letters.all()]
        assert (letter.handler, letter.deliveries) == ("action pay", 1)
        assert (letter.code, letter.error) == ("conflict", "1 is refused")
        assert letter.headers == {"tenant": "acme"}
        assert await letters.find(letter.id) == letter
        payments.is_mended = True
        assert await letters.replay(letter)
        assert not await letters.replay(letter)
        await until(lambda: payments.paid == [1])
    assert await numbers(letters) == []


async def test_an_event_goes_to_the_listener_that_failed_and_to_no_other_one(node: Node) -> None:
    payments, letters = Payments(), DeadLetters(node, "payments")
    others: list[int] = []

    @payments.app.listen(ORDERS)
    async def statistics(event: Pay) -> None:
        others.append(event.number)

    async with running(payments.app) as service:
        await service.publish(ORDERS, Pay(2))
        await until(lambda: _count(node, 1))
        payments.is_mended = True
        (letter,) = [letter async for letter in letters.all()]
        assert letter.handler.startswith("listen orders ")
        assert await letters.replay(letter)
        await until(lambda: payments.heard == [2])
    assert others == [2]


async def test_a_replayed_event_has_a_greater_fence_also_if_the_clock_was_set_back(node: Node) -> None:
    app, letters, fences = Daebus("payments"), DeadLetters(node, "payments"), list[str]()

    @app.listen(ORDERS)
    async def mails(event: Pay, context: Context) -> None:
        fences.append(context.fence or "")
        if len(fences) == 1:
            raise Conflict("refused")

    async with running(app):
        ahead = node.clock.now() + 3_600_000
        await node.link.execute("XADD", channel_stream("orders"), f"{ahead}-7", "event", b'{"number": 1}')
        await until(lambda: _count(node, 1))
        (letter,) = [letter async for letter in letters.all()]
        assert letter.entry == f"{ahead}-7"
        assert await letters.replay(letter)
        await until(lambda: len(fences) == 2)
    assert fences[0] < fences[1]


async def test_more_letters_than_a_page_come_in_order(node: Node) -> None:
    letters = DeadLetters(node, "payments")
    for number in range(250):
        request = msgspec.json.encode({"action": "pay", "request_id": "r", "payload": {"number": number}})
        await node.link.execute("XADD", dead_letters("payments"), "*", "action", "pay", "request", request)
    assert await numbers(letters) == [*range(250)]


async def test_a_letter_is_dropped_once_and_then_not_found(node: Node) -> None:
    payments, letters = Payments(), DeadLetters(node, "payments")
    async with running(payments.app) as service:
        await service.send(PAY, Pay(3))
        await until(lambda: _count(node, 1))
    (letter,) = [letter async for letter in letters.all()]
    assert await letters.drop(letter)
    assert not await letters.drop(letter)
    assert not await letters.replay(letter)
    assert await letters.find(letter.id) is None
    assert await letters.find("no id at all") is None


async def test_what_is_no_message_is_shown_and_not_replayed(node: Node) -> None:
    await node.link.execute("XADD", dead_letters("payments"), "*", "member", b"\xff\x00", "deliveries", "many")
    letters = DeadLetters(node, "payments")
    (letter,) = [letter async for letter in letters.all()]
    assert (letter.handler, letter.body, letter.deliveries) == ("retries", b"\xff\x00", 0)
    with pytest.raises(ListenerError, match="no message"):
        await letters.replay(letter)


async def _count(node: Node, wanted: int) -> bool:
    return await node.link.execute("XLEN", dead_letters("payments")) == wanted
