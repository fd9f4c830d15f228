"""The user of a message travels over the bus: through calls, sends and durable events, from service to service."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import msgspec
import pytest
from litestar import Request
from litestar.datastructures import State
from tests.support import until

from daebus import (
    Action,
    Bus,
    Channel,
    Context,
    Credentials,
    Daebus,
    DaebusHttp,
    Identity,
    ServiceContainer,
    Settings,
    SigningKeys,
    StreamAction,
)
from daebus.app.service import Daebus as App
from daebus.connection.node import open_node
from daebus.connection.redis_server import RedisServer
from daebus.core.signing import digest, signed, unsigned
from daebus.errors import ConfigurationError, Internal, Unauthorized, Unavailable
from daebus.operations.dead_letters import DeadLetters, Letter
from daebus.testing import private_redis_url, running

KEY, OTHER = "k" * 32, "o" * 32
SERVER = RedisServer.from_url(private_redis_url())


class User(msgspec.Struct):
    id: str
    role: str = "member"


async def find_user(credentials: Credentials) -> User | None:
    return User(credentials.token) if credentials.scheme == "bearer" and credentials.token != "wrong" else None


class Container(ServiceContainer):
    user = Identity(find_user)


WHO = Action[None, str]("who", service="ledger")
WHOLE = StreamAction[None, str]("whole", service="ledger")
LOOK = Action[None, str]("look", service="ledger")
NOTE = Action[str, None]("note", service="ledger")
NOTED = Channel[str]("noted", durable=True)
PASS_ON = Action[None, str]("pass_on", service="middle")


class Ledger:
    def __init__(self, keys: SigningKeys | None) -> None:
        self.notes: list[str] = []
        self.fails = 0
        app = self.app = Daebus("ledger", container=Container(), settings=Settings(signing_keys=keys))

        @app.action(WHO)
        async def who(context: Context, *, user: User) -> str:
            return f"{user.id} {context.actor} {context.source}"

        @app.action(WHOLE)
        async def whole(*, user: User) -> AsyncIterator[str]:
            yield user.id

        @app.action(LOOK)
        async def look(*, user: User | None) -> str:
            return "a stranger" if user is None else user.id

        @app.action(NOTE, retries=3, backoff=0.01)
        async def note(text: str, *, user: User) -> None:
            self._note(f"{text} of {user.id}")

        @app.listen(NOTED, retries=3, backoff=0.01)
        async def noted(text: str, *, user: User) -> None:
            self._note(f"{text} of {user.id}")

    def _note(self, text: str) -> None:
        if self.fails:
            self.fails -= 1
            raise Unavailable("Not yet")
        self.notes.append(text)


def middle(keys: SigningKeys | None) -> App[ServiceContainer]:
    """A service that knows nothing of users."""
    app = Daebus("middle", settings=Settings(signing_keys=keys))

    @app.action(PASS_ON)
    async def pass_on(*, bus: Bus) -> str:
        return await bus.call(WHO)

    return app


def gateway(keys: SigningKeys | None) -> App[Container]:
    app = Daebus("gateway", container=Container(), settings=Settings(signing_keys=keys))
    app.attach(DaebusHttp(port=0))

    @app.route("/who")
    async def who(*, user: User, bus: Bus) -> str:
        return await bus.call(WHO)

    @app.route("/three-hops")
    async def three_hops(*, user: User, bus: Bus) -> str:
        return await bus.call(PASS_ON)

    @app.route("/whole")
    async def whole(*, user: User, bus: Bus) -> str:
        return " ".join([item async for item in bus.stream(WHOLE)])

    @app.route("/note", methods=["POST"])
    async def note(*, user: User, bus: Bus) -> None:
        await bus.send(NOTE, "sent")
        await bus.send(NOTE, "sent later", after="commit")
        await bus.publish(NOTED, "published")

    @app.route("/for-nobody")
    async def for_nobody(*, user: User, bus: Bus) -> str:
        return await bus.call(LOOK, headers={"authorization": ""})

    @app.route("/for-another")
    async def for_another(*, user: User, bus: Bus) -> str:
        return await bus.call(LOOK, headers={"authorization": "Bearer zoe"})

    @app.route("/without")
    async def without(*, bus: Bus) -> str:
        return await bus.call(LOOK)

    return app


ADA = {"authorization": "Bearer ada"}
PATHS = {
    "/who": "ada ada bus",
    "/three-hops": "ada ada bus",
    "/whole": "ada",
    "/for-nobody": "a stranger",
    "/for-another": "zoe",
    "/without": "a stranger",
}
KEYS = [
    pytest.param(None, None, id="without keys"),
    pytest.param(SigningKeys(KEY), SigningKeys(KEY), id="one key"),
    pytest.param(SigningKeys(KEY), SigningKeys(OTHER, KEY), id="a key that is being replaced"),
    pytest.param(SigningKeys(KEY), None, id="a service that has no keys yet"),
]


@pytest.mark.parametrize(("ours", "theirs"), KEYS)
async def test_the_user_travels_with_what_a_handler_sends(ours: SigningKeys | None, theirs: SigningKeys | None) -> None:
    ledger = Ledger(theirs)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(ledger.app))
        await stack.enter_async_context(running(middle(ours)))
        http = (await stack.enter_async_context(running(gateway(ours)))).http
        answers = {path: (await http.get(path, headers=ADA)).text for path in PATHS}
        assert answers == PATHS
        ledger.fails = 2
        assert (await http.post("/note", headers=ADA)).status_code == 204
        await until(lambda: len(ledger.notes) == 3)
    assert sorted(ledger.notes) == ["published of ada", "sent later of ada", "sent of ada"]


def claims(**changed: object) -> bytes:
    """What the gateway says about Ada, in a call of `WHO`."""
    now = int(time.time())
    said: dict[str, object] = {"iss": "gateway", "aud": "action ledger who", "iat": now, "exp": now + 60}
    said |= {"usr": {"id": "ada"}, "dig": digest(b"null")}
    return msgspec.json.encode({name: value for name, value in (said | changed).items() if value is not None})


async def test_in_a_test_each_message_is_of_an_assumed_user() -> None:
    ledger = Ledger(None)
    async with running(ledger.app) as service, running(gateway(None)) as door:
        with door.as_user(User("eve")):
            assert (await door.http.get("/who")).text == "eve eve bus"
            with door.as_user(None):
                assert (await door.http.get("/who", headers=ADA)).status_code == 401
            assert (await door.http.get("/who", headers=ADA)).text == "eve eve bus"
        assert (await door.http.get("/who", headers=ADA)).text == "ada ada bus"
        with pytest.raises(ConfigurationError, match="no Identity whose users are int"), service.as_user(3):
            pass


async def test_the_log_says_for_whom_a_handler_failed(caplog: pytest.LogCaptureFixture) -> None:
    app = Daebus("gateway", container=Container())
    app.attach(DaebusHttp(port=0))

    @app.route("/fail")
    async def fail_at_route(*, user: User) -> None:
        raise ValueError(user.id)

    @app.route("/fail", methods=["POST"])
    async def fail_with_litestar(request: Request[object, object, State], *, user: User) -> None:
        raise ValueError(user.id)

    @app.action("fail")
    async def fail(*, user: User) -> None:
        raise ValueError(user.id)

    async with running(app) as service:
        with pytest.raises(Internal):
            await service.call(Action[None, None]("fail", service="gateway"), headers=ADA)
        assert (await service.http.get("/fail", headers=ADA)).status_code == 500
        assert (await service.http.post("/fail", headers=ADA)).status_code == 500
    lines = [cast("object", record.msg) for record in caplog.records]
    told = [cast("dict[str, object]", line) for line in lines if isinstance(line, dict)]
    assert [line["user"] for line in told if line["event"] == "handler failed"] == ["ada"] * 3


def tampered() -> str:
    """A token whose claims were replaced."""
    header, _, signature = signed(claims(), KEY.encode()).split(".")
    return f"{header}.{unsigned(claims(usr={'id': 'root'})).split('.')[1]}.{signature}"


def untrusted() -> list[tuple[str, str]]:
    """Tokens that are refused, with the reason; made late, as they expire."""
    return [
        ("", "malformed"),  # empty
        ("a.b", "malformed"),  # two parts
        ("!.!.!", "malformed"),  # no base64
        (tampered(), "signature is not valid"),  # tampered
        (unsigned(claims()), "signed by 'none'"),  # not signed
        (signed(claims(), OTHER.encode()), "signature is not valid"),  # forged
        (signed(claims(iss="ledger"), KEY.encode()), "signature is not valid"),  # of another service
        (signed(claims(iss="nobody"), KEY.encode()), "signature is not valid"),  # of an unknown service
        (signed(claims(exp=int(time.time()) - 1), KEY.encode()), "has expired"),  # expired
        (signed(claims(exp=None), KEY.encode()), "has expired"),  # without an end
        (signed(claims(aud="action ledger pay"), KEY.encode()), "another message"),  # of another action
        (signed(claims(aud="channel who"), KEY.encode()), "another message"),  # of a channel
        (signed(claims(dig=digest(b"1")), KEY.encode()), "another message"),  # of another payload
        (signed(claims(dig=None), KEY.encode()), "another message"),  # of any payload
        (signed(claims(usr=None), KEY.encode()), "malformed"),  # without a user
        (signed(claims(usr={"name": "ada"}), KEY.encode()), "does not fit"),  # a user of another type
    ]


LEDGER_KEYS = SigningKeys(services={"gateway": ["n" * 32, KEY], "ledger": [OTHER]})


async def test_a_user_that_cannot_be_trusted_is_refused_by_handlers_that_let_strangers_in_too() -> None:
    ledger = Ledger(LEDGER_KEYS)
    async with running(ledger.app) as service:
        for token, reason in untrusted():
            with pytest.raises(Unauthorized, match=reason):
                await service.call(WHO, headers={"daebus-user": token})
            with pytest.raises(Unauthorized):
                await service.call(LOOK, headers={"daebus-user": token})
        assert await service.call(WHO, headers={"daebus-user": signed(claims(), KEY.encode())}) == "ada ada bus"
        assert await service.call(LOOK) == "a stranger"


async def test_the_header_counts_on_the_bus_alone() -> None:
    async with running(gateway(None)) as service:
        refused = await service.http.get("/who", headers={"daebus-user": unsigned(claims())})
        assert refused.status_code == 401


async def test_a_dead_letter_is_replayed_for_the_user_who_has_sent_it() -> None:
    keys = SigningKeys(KEY)
    ledger = Ledger(keys)
    async with running(ledger.app) as service, running(gateway(keys)) as door, open_node(SERVER) as node:
        letters = DeadLetters(node, "ledger")
        ledger.fails = 1_000
        await door.http.post("/note", headers=ADA)

        async def dead() -> list[Letter]:
            return [letter async for letter in letters.all()]

        async def are_dead() -> bool:
            return len(await dead()) == 3

        await until(are_dead)
        ledger.fails = 0
        for letter in await dead():
            assert await letters.replay(letter)
        await until(lambda: len(ledger.notes) == 3)
        forged = {"daebus-user": signed(claims(aud="action ledger note"), OTHER.encode())}
        await service.send(NOTE, "forged", headers=forged)

        async def is_dead() -> bool:
            return [letter.code for letter in await dead()] == ["unauthorized"]

        await until(is_dead)
    assert sorted(ledger.notes) == ["published of ada", "sent later of ada", "sent of ada"]


async def test_a_service_without_a_key_cannot_speak_for_a_user(caplog: pytest.LogCaptureFixture) -> None:
    async with running(gateway(SigningKeys(services={"ledger": [KEY]}))) as service, running(Ledger(None).app):
        assert (await service.http.get("/who", headers=ADA)).status_code == 500
    assert "SigningKeys has no key of 'gateway'" in caplog.text


@pytest.mark.parametrize("keys", [(), ("short",)])
def test_keys_that_are_missing_or_short_are_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"SigningKeys|32"):
        SigningKeys(*keys)


def test_keys_are_not_shown() -> None:
    assert KEY not in repr(Settings(signing_keys=SigningKeys(KEY)))
