"""Questions to running instances over the bus, as a client that knows nothing of daebus asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import pytest
from tests.support import until

from daebus import Action, Daebus, DaebusHttp, Settings
from daebus.connection.node import Node
from daebus.delivery.endpoint import Endpoint
from daebus.discovery.asking import ask, ask_instance
from daebus.errors import BadRequest, Unavailable
from daebus.interceptors import Handle
from daebus.protocol.discovery import Files, Identity, Info, Inquiry, Stats
from daebus.testing import running

pytestmark = pytest.mark.usefixtures("daebus_redis_url")


R = TypeVar("R")


class User(msgspec.Struct):
    """A user.

    Attributes:
        id: Where it is found.
    """

    id: str


def users(name: str = "users", settings: Settings | None = None) -> Daebus:
    app = Daebus(name, settings=settings)

    @app.action("get_user")
    async def get_user(user: User) -> User:
        """Find a user."""
        return user

    @app.background("tidy", seconds=3600)
    async def tidy() -> None: ...

    return app


async def test_all_instances_of_all_services_say_who_they_are(node: Node) -> None:
    deployed = Settings(version="1.4.2", metadata={"region": "eu"})
    async with running(users(settings=deployed)), running(users(settings=deployed)), running(users("other")):
        found = await ask(node, "ping", Identity)
        assert sorted(one.service for one in found) == ["other", "users", "users"]
        assert len({one.instance for one in found}) == 3
        labels = {one.service: (one.version, dict(one.metadata)) for one in found}
        assert labels == {"other": (None, {}), "users": ("1.4.2", {"region": "eu"})}
        assert {one.state for one in found} == {"running"}
        of_one = await ask(node, "ping", Identity, service="users")
        assert [one.service for one in of_one] == ["users", "users"]


async def test_the_version_comes_from_the_environment_if_the_settings_have_none(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAEBUS_VERSION", "7.1")
    async with running(users()), running(users("other", Settings(version="2"))):
        assert {one.service: one.version for one in await ask(node, "ping", Identity)} == {"users": "7.1", "other": "2"}


async def test_an_instance_says_what_it_serves_with_the_schemas(node: Node) -> None:
    async with running(users()):
        (info,) = await ask(node, "info", Info)
        get_user, tidy = info.handlers
        assert (get_user.title, get_user.kind, get_user.name, get_user.summary) == (
            "action get_user",
            "action",
            "get_user",
            "Find a user.",
        )
        assert get_user.takes == get_user.gives == {"$ref": "#/components/schemas/User"}
        assert info.schemas["User"]["properties"] == {"id": {"type": "string", "description": "Where it is found."}}
        assert (tidy.kind, tidy.takes, tidy.gives, tidy.contract) == ("background", None, None, None)


async def test_equal_contracts_have_equal_hashes_in_any_service_version(node: Node) -> None:
    class Wider(msgspec.Struct):
        id: str
        name: str = ""

    changed = Daebus("users")

    @changed.action("get_user")
    async def get_user(user: User) -> Wider:
        return Wider(user.id)

    async with running(users()), running(users()), running(changed):
        found = await ask(node, "info", Info, service="users")
        hashes = [(info.handlers[0].contract, info.contracts) for info in found]
        assert len(set(hashes)) == 2
        assert len({contract for contract, _ in hashes}) == 2


async def test_one_instance_is_asked(node: Node) -> None:
    async with running(users()), running(users()):
        first, _ = await ask(node, "ping", Identity)
        asked = Inquiry("stats", "", "")
        stats = await ask_instance(node, asked, Stats, service="users", instance=first.instance)
        assert stats.instance == first.instance
        assert stats.cpu > 0
        assert stats.memory > 1_000_000
        with pytest.raises(Unavailable, match=r"instance gone of 'users' has not answered within 0\.1 s"):
            await ask_instance(node, asked, Stats, service="users", instance="gone", patience=0.1)


async def test_an_instance_writes_its_contracts_and_goes_on_serving(node: Node) -> None:
    wrapped: list[str] = []

    def note(endpoint: Endpoint[R], handle: Handle[R]) -> Handle[R]:
        wrapped.append(endpoint.title)
        return handle

    app = Daebus("users", interceptors=[note])
    app.attach(DaebusHttp(port=0))

    @app.route("/users/<id>")
    async def show(id: str) -> User:  # noqa: A002  # the name in the path
        return User(id)

    async with running(app) as service:
        (one,) = await ask(node, "ping", Identity)
        before = list(wrapped)

        async def export(form: str) -> Mapping[str, bytes]:
            asked = Inquiry("export", "", "", form=form)
            files = await ask_instance(node, asked, Files, service="users", instance=one.instance)
            return files.files

        assert msgspec.json.decode((await export("openapi"))["-"])["paths"].keys() == {"/users/{id}"}
        assert "client.ts" in await export("typescript")
        with pytest.raises(BadRequest, match="There is no format 'poem'; the formats are openapi"):
            await export("poem")
        assert (await service.http.get("/users/ada")).json() == {"id": "ada"}
        assert wrapped == before  # an interceptor that counts its handlers must not see them twice


async def test_routes_that_are_not_to_be_documented_are_not_exported(node: Node) -> None:
    app = users()
    app.attach(DaebusHttp(port=0, schema=False))
    async with running(app):
        (one,) = await ask(node, "ping", Identity)
        for form in ("openapi", "html"):
            asked = Inquiry("export", "", "", form=form)
            with pytest.raises(BadRequest, match=r"users does not document its routes, DaebusHttp\(schema=False\)"):
                await ask_instance(node, asked, Files, service="users", instance=one.instance)


async def test_what_is_no_question_is_not_answered(redis: Any, node: Node) -> None:
    async with running(users()), redis.pubsub() as heard:
        await heard.subscribe("news", "daebus:reply:me")
        for asked in (
            b"{",
            b'{"ask":"ping","reply_to":"news","request_id":"1"}',  # no channel for replies
            b'{"ask":"shutdown","reply_to":"daebus:reply:me","request_id":"2"}',
        ):
            assert await redis.publish("daebus:discovery", asked) == 1
        assert await redis.publish(
            "daebus:{users}:discovery", '{"ask":"ping","reply_to":"daebus:reply:me","request_id":"3"}'
        )
        answers: list[dict[str, Any]] = []

        async def answered() -> bool:
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=1)
            if message is not None:
                answers.append(msgspec.json.decode(message["data"]))
            return bool(answers)

        await until(answered)
        assert [one["request_id"] for one in answers] == ["3"]
        assert await ask(node, "ping", Identity)


async def test_instances_answer_before_they_serve_and_while_they_stop(node: Node) -> None:
    begun, may_start, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    app = Daebus("users")

    @app.on_start()
    async def wait() -> None:
        begun.set()
        await may_start.wait()

    @app.action("slow")
    async def slow() -> None:
        await may_end.wait()

    async def state() -> str | None:
        return next((one.state for one in await ask(node, "ping", Identity)), None)

    async def is_in(wanted: str | None) -> None:
        async def so() -> bool:
            return await state() == wanted

        await until(so)

    stop = asyncio.Event()

    async def run() -> None:
        async with running(app) as service:
            await service.send(Action[None, None]("slow", service="users"), None)
            await stop.wait()

    task = asyncio.create_task(run())
    await begun.wait()
    await is_in("starting")
    may_start.set()
    await is_in("running")
    stop.set()
    await is_in("stopping")
    may_end.set()
    await task
    assert await state() is None


async def test_a_question_reaches_an_instance_again_after_its_connection_was_cut(redis: Any, node: Node) -> None:
    async with running(users()):
        assert len(await ask(node, "ping", Identity)) == 1
        await redis.client_kill_filter(_type="pubsub")

        async def answers() -> bool:
            try:
                return len(await ask(node, "ping", Identity)) == 1
            except Unavailable:
                return False

        await until(answers)
