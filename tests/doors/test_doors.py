"""Actions as routes, as messages of WebSockets and as server-sent events: what a request gives, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import msgspec
import pytest
from litestar.response.sse import ServerSentEventMessage
from tests.support import until, wired

from daebus import (
    Action,
    Blueprint,
    Bus,
    Channel,
    Context,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Followed,
    PerMessage,
    ServiceContainer,
    StreamAction,
)
from daebus.core.stopping import Stopping
from daebus.delivery.delivery import Delivery
from daebus.delivery.workers import WorkerPool
from daebus.errors import BadReply, BadRequest, Gone, NotFound, WiringError
from daebus.http.events import EventRun
from daebus.telemetry.logs import make_logger
from daebus.testing import RunningService, running


class Kebab(msgspec.Struct, rename="kebab"):
    user_id: str
    sort_by: str = "name"
    state: str = "open"
    context: int = 0
    word: str = ""


class Range(msgspec.Struct):
    low: int
    high: Annotated[int, msgspec.Meta(le=10)] = 5

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Change(msgspec.Struct, forbid_unknown_fields=True):
    id: int
    words: list[str] = msgspec.field(default_factory=lambda: ["some"])
    inner: Range | None = None


@dataclass
class Plain:
    name: str
    size: int = 3


class Nested(msgspec.Struct):
    inner: Range


T = TypeVar("T")
log: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    log.clear()


def unseen(text: str) -> str:
    """A text that the mypy plugin does not know."""
    return text


async def open_session() -> AsyncIterator[str]:
    try:
        yield "session"
    finally:
        log.append("closed")


class Container(ServiceContainer):
    session = PerMessage(open_session)


def make_app() -> tuple[Daebus[Container], Blueprint[Container]]:
    app = Daebus("doors", container=Container())
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    return app, Blueprint("doors", services=Container)


@asynccontextmanager
async def served(app: Daebus[Container], blueprint: Blueprint[Container]) -> AsyncGenerator[RunningService]:
    app.register_blueprint(blueprint)
    async with running(app) as service:
        yield service


class TestInputs:
    async def test_names_that_litestar_or_python_do_not_allow(self) -> None:
        app, doors = make_app()

        @doors.action("kebab", http="GET /kebab/<word>")
        async def kebab(query: Kebab, context: Context) -> list[str | int]:
            return [query.user_id, query.sort_by, query.state, query.context, context.handler]

        async with served(app, doors) as service:
            response = await service.http.get("/kebab/closed?state=closed&user-id=1&sort-by=age&context=7")
            refused = (await service.http.get("/kebab/closed")).json()
            document = (await service.http.get("/schema/openapi.json")).json()
        assert response.json() == ["1", "age", "closed", 7, "route GET /kebab/<word>"]
        assert refused["details"]["errors"] == [
            {"in": "query", "path": "user-id", "problem": "Missing, expected `str`"}
        ]
        found = document["paths"]["/kebab/{word}"]["get"]["parameters"]
        assert [one["name"] for one in found] == ["word", "user-id", "sort-by", "state", "context"]

    async def test_the_path_and_the_body_make_one_payload(self) -> None:
        app, doors = make_app()

        @doors.action("change", http="PATCH /change/<id>")
        async def change(change: Change) -> Change:
            return change

        async with served(app, doors) as service:
            given = await service.http.patch("/change/3", json={"words": ["a"], "inner": {"low": 1}})
            left_out = await service.http.patch("/change/3", json={})
            both = await service.http.patch("/change/x", json={"words": [1], "inner": {"low": 7, "high": 20}})
            unknown = await service.http.patch("/change/3", json={"id": 4})
            empty = await service.http.patch("/change/3")
        assert given.json() == {"id": 3, "words": ["a"], "inner": {"low": 1, "high": 5}}
        assert left_out.json() == {"id": 3, "words": ["some"], "inner": None}
        wrong = [(one["in"], one["path"]) for one in both.json()["details"]["errors"]]
        assert wrong == [("path", "id"), ("body", "$.words[0]"), ("body", "$.inner.high")]
        assert (unknown.status_code, empty.status_code) == (400, 400)

    async def test_a_type_that_refuses_its_values(self) -> None:
        app, doors = make_app()

        @doors.action("range", http="GET /range", socket="range")
        async def range_(query: Range) -> int:
            return query.high - query.low

        async with served(app, doors) as service, service.socket() as socket:
            assert (await service.http.get("/range?low=2")).json() == 3
            refused = await service.http.get("/range?low=9")
            over_socket = await socket.ask("range", {"low": 9})
        assert refused.json()["details"]["errors"] == [{"in": "payload", "path": "$", "problem": "low is above high"}]
        assert b"low is above high" in bytes(over_socket.data)

    async def test_all_mistakes_are_told_at_once_at_each_door(self) -> None:
        app, doors = make_app()

        @doors.action("by_query", http="GET /range")
        async def by_query(query: Range) -> int:
            return query.low

        @doors.action("by_body", http="POST /range", socket="range")
        async def by_body(query: Range) -> int:
            return query.low

        wrong = {"low": "x", "high": "y"}
        async with served(app, doors) as service, service.socket() as socket:
            queried = (await service.http.get("/range?low=x&high=y")).json()["details"]["errors"]
            posted = (await service.http.post("/range", json=wrong)).json()["details"]["errors"]
            over_socket = msgspec.json.decode((await socket.ask("range", wrong)).data)["details"]["errors"]
            with pytest.raises(BadRequest) as refused:
                await service.bus.call(Action[dict[str, str], int]("by_body", service="doors"), wrong)
        over_bus: Any = refused.value.details["errors"]
        found = [[(one["in"], one["path"]) for one in told] for told in (queried, posted, over_socket, over_bus)]
        assert found == [
            [("query", "low"), ("query", "high")],
            [("body", "$.low"), ("body", "$.high")],
            [("payload", "$.low"), ("payload", "$.high")],
            [("payload", "$.low"), ("payload", "$.high")],
        ]

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_one_value_and_none(self, method: str) -> None:
        app, doors = make_app()

        @doors.action("greet", http=f"{method} /greet/<name>")
        async def greet(name: str) -> str:
            return f"Hello, {name}!"

        @doors.action("add", http=f"{method} /add")
        async def add(numbers: list[int]) -> int:
            return sum(numbers)

        @doors.action("ping", http=f"{method} /ping", socket="ping")
        async def ping() -> None:
            log.append("ping")

        @doors.action("plain", http="POST /plain")
        async def plain(data: Plain) -> Plain:
            return data

        async with served(app, doors) as service, service.socket() as socket:
            assert (await service.http.request(method, "/greet/Ada")).json() == "Hello, Ada!"
            assert (await service.http.request(method, "/add?numbers=1&numbers=2")).json() == 3
            assert (await service.http.request(method, "/ping")).status_code == 204
            await socket.send("ping")
            await until(lambda: log.count("ping") == 2)
            assert (await socket.ask("ping")).type == "response"
            assert (await service.http.post("/plain", json={"name": "x"})).json()["name"] == "x"


class TestAnswers:
    async def test_status_errors_and_tags(self) -> None:
        app, doors = make_app()

        @doors.action("add", http="POST /add", status_code=201, raises=[NotFound], tags=["numbers"])
        async def add(number: int) -> int:
            return number

        @doors.action("listen", sse="GET /listen", raises=[NotFound], tags=["numbers"])
        async def listen() -> AsyncIterator[int]:
            yield 1

        async with served(app, doors) as service:
            assert (await service.http.post("/add", json=3)).status_code == 201
            document = (await service.http.get("/schema/openapi.json")).json()
        for operation in (document["paths"]["/add"]["post"], document["paths"]["/listen"]["get"]):
            assert operation["tags"] == ["numbers"]
            assert "404" in operation["responses"]
        assert "201" in document["paths"]["/add"]["post"]["responses"]

    async def test_head_is_answered_as_get_without_the_body(self) -> None:
        app, doors = make_app()

        @doors.action("both", http="GET /both")
        async def both() -> str:
            return "four"

        @doors.action("own", http="GET /own/<name>")
        async def own(name: str) -> str:
            return name

        @doors.action("head", http="HEAD /own/<other>")
        async def head(other: str) -> str:
            log.append(other)
            return other

        async with served(app, doors) as service:
            answer = await service.http.head("/both")
            await service.http.head("/own/x")
            document = (await service.http.get("/schema/openapi.json")).json()
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "6", b"")
        assert log == ["x"]
        assert list(document["paths"]["/both"]) == ["get"]

    async def test_a_reply_that_does_not_fit_its_type_is_logged_and_answered_as_on_the_bus(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app, doors = make_app()
        wrong = cast("Range", {"low": "x"})

        @doors.action("wrong", http="GET /wrong", socket="wrong")
        async def wrong_reply() -> Range:
            return wrong

        @doors.action("wrongs", sse="GET /wrongs")
        async def wrong_items() -> AsyncIterator[Range]:
            yield wrong

        async with served(app, doors) as service, service.socket() as socket:
            over_http = await service.http.get("/wrong")
            over_socket = msgspec.json.decode((await socket.ask("wrong")).data)
            events = await service.http.get("/wrongs")
            with pytest.raises(BadReply) as over_bus:
                await service.bus.call(Action[None, Range]("wrong", service="doors"), None)
        assert (over_http.status_code, over_http.json()["code"]) == (502, "bad_reply")
        assert over_http.json()["detail"] == over_socket["error"] == over_bus.value.message
        assert over_socket["code"] == events.json()["code"] == "bad_reply"
        failed = [record for record in caplog.records if record.getMessage().startswith("handler failed")]
        assert len(failed) == 3


async def take(items: AsyncGenerator[T], count: int) -> AsyncGenerator[T]:
    async with aclosing(items):
        async for item in items:
            yield item
            count -= 1
            if not count:
                return


async def test_a_door_handles_as_many_at_once_as_its_action() -> None:
    app, doors = make_app()
    running_now: list[int] = []

    @doors.action("one", concurrency=1, http="GET /one")
    async def one() -> int:
        running_now.append(1)
        await asyncio.sleep(0.01)
        assert running_now == [1]
        return running_now.pop()

    async with served(app, doors) as service:
        answers = await asyncio.gather(*(service.http.get("/one") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5


class TestEvents:
    async def test_the_run_ends_when_the_client_goes(self) -> None:
        app, doors = make_app()

        @doors.action("tick", sse="GET /tick")
        async def tick(*, session: str) -> AsyncIterator[str]:
            while True:
                yield session
                await asyncio.sleep(0.01)

        async with served(app, doors) as service:
            async with service.http.stream("GET", "/tick") as response:
                assert await anext(response.aiter_lines()) == 'data: "session"'
            await until(lambda: log == ["closed"])

    async def test_errors_and_time(self) -> None:
        app, doors = make_app()

        @doors.action("late", sse="GET /late/<name>", timeout=0.2)
        async def late(name: str) -> AsyncIterator[int]:
            if name == "nobody":
                raise NotFound("There is no nobody")
            yield 1
            if name == "breaks":
                raise RuntimeError("a secret")
            await asyncio.sleep(10)

        async with served(app, doors) as service:
            missing = await service.http.get("/late/nobody")
            slow = (await service.http.get("/late/slow")).text
            broken = (await service.http.get("/late/breaks")).text
        assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
        assert "event: problem" in slow
        assert '"code":"timeout"' in slow
        assert '"code":"internal"' in broken
        assert "a secret" not in broken

    async def test_a_handler_that_is_silent_at_first(self) -> None:
        app, doors = make_app()
        going = asyncio.Event()

        @doors.action("silent", sse="GET /silent")
        async def silent() -> AsyncIterator[int]:
            await going.wait()
            yield 1

        async with served(app, doors) as service, service.http.stream("GET", "/silent") as response:
            assert response.status_code == 200
            going.set()
            lines = [line async for line in response.aiter_lines() if line]
        assert lines == ["data: 1", "event: end", "data: null"]

    async def test_a_stream_that_ends_as_the_service_stops_has_no_end_so_that_browsers_connect_again(self) -> None:
        async def polite(context: Context) -> AsyncIterator[int]:
            yield 1
            await context.stopping.wait()

        stopping, logger = Stopping(), make_logger()
        endpoint = wired(lambda app: app.action("polite"), polite, Container(), WorkerPool(1))
        delivery = Delivery(endpoint, "polite", stopping, logger, "http")
        run = EventRun()
        await run.begin(delivery, delivery.incoming("id"), logger)
        events = run.events("id")
        assert await anext(events) == ServerSentEventMessage(b"1")
        stopping.set()
        assert [event async for event in events] == []

    async def test_silence_is_interrupted_by_comments(self) -> None:
        going = asyncio.Event()

        async def silent() -> AsyncIterator[int]:
            await going.wait()
            yield 1

        workers = WorkerPool(1)
        endpoint = wired(lambda app: app.action("silent"), silent, Container(), workers)
        logger = make_logger()
        delivery = Delivery(endpoint, "silent", Stopping(), logger, "http")
        run = EventRun(first=0.001, ping=0.001)
        await run.begin(delivery, delivery.incoming("id"), logger)
        events = run.events("id")
        assert await anext(events) == ServerSentEventMessage(None, comment="")
        going.set()
        told = [event async for event in events if event.comment is None]
        assert told == [ServerSentEventMessage(b"1"), ServerSentEventMessage("null", event="end")]


class Follow(msgspec.Struct):
    room: str
    after: int | None = None


class Needing(Follow, kw_only=True):
    needed: str


class After(msgspec.Struct):
    after: str | None = None


class Said(msgspec.Struct, rename="camel"):
    event_number: int
    text: str


class TestResume:
    """A client that comes back goes on after the last event that it has got."""

    @staticmethod
    def opened() -> tuple[Daebus[Container], Blueprint[Container], list[str]]:
        app, doors = make_app()
        said = [f"line {number}" for number in range(100)]

        @doors.action("follow", sse="GET /follow/<room>", event_id="eventNumber", resume="after")
        async def follow(query: Follow) -> AsyncIterator[Said]:
            if query.after is not None and query.after < int(query.room):
                raise Gone("They are no longer kept")
            for number in range(0 if query.after is None else query.after + 1, len(said)):
                yield Said(number, said[number])
                await asyncio.sleep(0)

        return app, doors, said

    async def test_a_client_that_is_cut_off_again_and_again_misses_nothing(self) -> None:
        app, doors, said = self.opened()
        got: list[str] = []
        headers: dict[str, str] = {}
        cuts = 0
        async with served(app, doors) as service:
            while "event: end" not in got:
                async with service.http.stream("GET", "/follow/0", headers=headers) as response:
                    async for line in response.aiter_lines():
                        got.append(line)
                        if line.startswith("id: "):
                            headers["Last-Event-ID"] = line[4:]
                        if not line and len(got) % 7 == 0:  # whole events only, as a browser takes them
                            cuts += 1
                            break
        assert cuts > 5
        assert [msgspec.json.decode(line[6:])["text"] for line in got if line.startswith("data: {")] == said

    async def test_a_client_that_cannot_go_on_is_told_so_and_begins_anew(self) -> None:
        app, doors, _ = self.opened()
        async with served(app, doors) as service:
            lost = await service.http.get("/follow/50", headers={"Last-Event-ID": "3"})
            refused = await service.http.get("/follow/50", params={"after": 3})
            wrong = await service.http.get("/follow/50", headers={"Last-Event-ID": "x"})
        head, data = lost.text.strip().split("\n")[:2], lost.text.split("data: ")[1]
        assert (lost.status_code, [line.strip() for line in head]) == (200, ["id:", "event: lost"])
        assert msgspec.json.decode(data)["code"] == "gone"
        assert "event: end" not in lost.text
        assert (refused.status_code, refused.json()["code"]) == (410, "gone")
        assert wrong.json()["details"]["errors"][0]["path"] == "last-event-id"

    async def test_a_durable_channel_is_followed_over_replicas(self) -> None:
        channel = Channel[Range]("followed_over_http", durable=True, keep=60)

        def make() -> tuple[Daebus[Container], Blueprint[Container]]:
            app, doors = make_app()

            @doors.action("changes", sse="GET /changes", event_id="id", resume="after")
            async def changes(query: After, *, bus: Bus) -> AsyncIterator[Followed[Range]]:
                async for event in bus.follow(channel, after=query.after):
                    yield event

            return app, doors

        got: list[int] = []
        async with served(*make()) as one, served(*make()) as other:
            await one.publish(channel, Range(0))
            headers = {"Last-Event-ID": ""}
            first = [event.id async for event in take(one.bus.follow(channel, after=""), 1)]
            headers["Last-Event-ID"] = first[0]
            for service in (one, other, one):
                await service.publish(channel, Range(len(got) + 1))
                async with service.http.stream("GET", "/changes", headers=headers) as response:
                    async for line in response.aiter_lines():
                        if line.startswith("id: "):
                            headers["Last-Event-ID"] = line[4:]
                        if line.startswith("data: "):
                            got.append(msgspec.json.decode(line[6:])["event"]["low"])
                            break
        assert got == [1, 2, 3]

    @pytest.mark.parametrize(
        "options", [{"event_id": "low"}, {"event_id": "low", "resume": "after"}], ids=["event_id", "resume"]
    )
    def test_only_a_get_is_sent_again_by_itself(self, options: Mapping[str, Any]) -> None:
        app, doors = make_app()

        async def changes(query: After) -> AsyncIterator[Range]:
            yield Range(1)

        doors.action("changes", sse="POST /changes", **options)(changes)
        with pytest.raises(
            WiringError, match=r'(?s)only a GET may be sent again by itself.*sse="GET /changes"'
        ) as caught:
            app.register_blueprint(doors)
        assert len(caught.value.problems) == 1

    async def test_a_post_is_answered_with_events_too(self) -> None:
        app, doors = make_app()

        @doors.action("changes", sse="POST /changes")
        async def changes(query: After) -> AsyncIterator[str]:
            yield str(query.after)

        async with served(app, doors) as service:
            answer = await service.http.post("/changes", json={"after": "3"})
        lines = [line.strip() for line in answer.text.split("\n") if line.strip()]
        assert lines == ['data: "3"', "event: end", "data: null"]

    async def test_items_of_which_some_have_no_id(self) -> None:
        app, doors = make_app()

        @doors.action("mixed", sse="GET /mixed", event_id="low")
        async def mixed() -> AsyncIterator[Range | None]:
            yield Range(3)
            yield None

        async with served(app, doors) as service:
            lines = (await service.http.get("/mixed")).text.split("\n")
        told = [line.strip() for line in lines if line.strip()]
        assert told == ["id: 3", 'data: {"low":3,"high":5}', "data: null", "event: end", "data: null"]

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({"event_id": "number"}, "event_id='number', but the Said has no such field"),
            ({"event_id": "eventNumber", "resume": "befor"}, "resume='befor', but the query of the request has no"),
            ({"resume": "after"}, "clients have no id to come back with"),
            ({"event_id": "eventNumber", "resume": "needed"}, "would have to give"),
            ({"event_id": 3}, "event_id=3 is not the name of a field"),
        ],
    )
    def test_what_is_refused(self, options: Mapping[str, Any], found: str) -> None:
        app, doors = make_app()

        async def follow(query: Needing) -> AsyncIterator[Said]:
            yield Said(1, query.needed)

        def register() -> None:
            doors.action("follow", sse="GET /follow/<room>", **options)(follow)
            app.register_blueprint(doors)

        with pytest.raises(WiringError, match=found):
            register()
        with pytest.raises(WiringError, match="the action has no door sse="):
            doors.action("plain", http="GET /plain", event_id="id")

    def test_a_payload_that_is_one_value_cannot_get_the_id_of_the_last_event(self) -> None:
        app, doors = make_app()

        @doors.action("lines", sse="GET /lines", event_id="low", resume="after")
        async def lines(after: str | None) -> AsyncIterator[Range]:
            yield Range(1)

        with pytest.raises(WiringError, match="take a struct with a field that has a default: after: str"):
            app.register_blueprint(doors)

    async def test_the_document_says_that_a_client_may_come_back_too_late(self) -> None:
        app, doors = make_app()

        @doors.action("changes", sse="GET /changes", event_id="low", resume="after")
        async def changes(query: After) -> AsyncIterator[Range]:
            yield Range(1)

        async with served(app, doors) as service:
            document = (await service.http.get("/schema/openapi.json")).json()
        assert "`gone`" in document["paths"]["/changes"]["get"]["responses"]["410"]["description"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "remedy"),
        [
            ({"middleware": []}, "only a route has it"),
            ({"status_code": 204}, "status 204 has no body, and the handler returns int"),
            ({"status_code": 20}, "is not the status of a complete response"),
            ({"raises": [ValueError]}, "ValueError, which is never sent to a client"),
            ({"raises": NotFound}, r"write raises=\[NotFound\]"),
            ({"tags": "shop"}, r"write tags=\['shop'\]"),
            ({"xyz": 1}, "backoff, .*, concurrency"),
            ({"ret": 1}, "retries"),
        ],
    )
    def test_an_option_that_an_action_has_not(self, options: Mapping[str, Any], remedy: str) -> None:
        app, doors = make_app()

        async def x() -> int:
            return 1

        def build() -> object:
            doors.action("x", http="GET /x", **options)(x)
            app.register_blueprint(doors)
            return app.asgi

        with pytest.raises(WiringError, match=remedy):
            build()

    @pytest.mark.parametrize("options", [{"status_code": 201}, {"tags": []}, {"raises": []}])
    def test_an_option_of_a_door_without_the_door(self, options: Mapping[str, Any]) -> None:
        _, doors = make_app()
        with pytest.raises(WiringError, match="the action has no door http="):
            doors.action("x", socket="x", **options)
        with pytest.raises(WiringError, match="the action has no door http="):
            doors.action("y", **options)

    def problems_of(self, blueprint: Blueprint[Container], app: Daebus[Container]) -> list[tuple[str, str]]:
        with pytest.raises(WiringError) as caught:
            app.register_blueprint(blueprint)
        assert all("test_doors.py:" in str(problem.where) for problem in caught.value.problems)
        return [(problem.code, problem.found) for problem in caught.value.problems]

    @pytest.mark.parametrize(
        ("http", "code", "found"),
        [
            ("GET /x/<pri>", "path-mismatch", "the path has <pri>, but the payload Range has no field 'pri'"),
            ("GET /x/<id:int>", "malformed-path", "is not how a path parameter is written"),
            ("GET /x/<state>", "reserved-name", "the path has <state>, a name that has a special meaning"),
            ("FETCH /x", "wrong-method", "'FETCH' is not an HTTP method"),
        ],
    )
    def test_a_wrong_path(self, http: str, code: str, found: str) -> None:
        app, doors = make_app()

        @doors.action("x", http=http)
        async def x(query: Range) -> int:
            return query.low

        ((known, text),) = self.problems_of(doors, app)
        assert known == code
        assert found in text

    def test_what_no_text_can_be(self) -> None:
        app, doors = make_app()

        @doors.action("nested", http=unseen("GET /nested"))
        async def nested(query: Nested) -> int:
            return query.inner.low

        @doors.action("in_path", http=unseen("PUT /nested/<inner>"))
        async def in_path(query: Nested) -> int:
            return query.inner.low

        @doors.action("nothing", http=unseen("GET /nothing/<id>"))
        async def nothing() -> int:
            return 1

        assert [code for code, _ in self.problems_of(doors, app)] == [
            "not-in-query",
            "wrong-path-type",
            "path-mismatch",
        ]

    def test_streams_and_replies(self) -> None:
        app, doors = make_app()
        options: Any = {"sse": "GET /one"}

        @doors.action("one", **options)
        async def one() -> int:
            return 1

        options = {"http": "GET /many", "socket": "many"}

        @doors.action("many", **options)
        async def many() -> AsyncIterator[int]:
            yield 1

        assert [code for code, _ in self.problems_of(doors, app)] == [
            "not-a-stream",
            "unexpected-stream",
        ]

    def test_mistakes_of_the_handler_are_told_once(self) -> None:
        app, doors = make_app()

        @doors.action("x", http=unseen("GET /x/<nothing>"), socket="x")
        async def x(query: Range, *, repo: int) -> int:  # type: ignore[daebus-wiring]
            return query.low

        assert [code for code, _ in self.problems_of(doors, app)] == ["unknown-service"]

    def test_two_doors_at_one_place(self) -> None:
        app, doors = make_app()

        @doors.action("x", http=unseen("GET /x"), socket=unseen("x"))
        async def x() -> int:
            return 1

        @doors.route("/x")
        async def y() -> int:
            return 1

        @doors.socket("x")
        async def z() -> int:
            return 1

        assert [code for code, _ in self.problems_of(doors, app)] == ["duplicate-handler", "duplicate-handler"]

    def test_a_door_that_is_no_door(self) -> None:
        _, doors = make_app()
        for given in ("/x", "GET", "GET/x"):
            with pytest.raises(WiringError, match='write http="GET /') as caught:
                doors.action("x", http=given)
            assert caught.value.problems[0].code == "malformed-path"
        with pytest.raises(WiringError, match="is reserved for the answers"):
            doors.action("x", socket="response")

    def test_doors_need_their_component(self) -> None:
        app = Daebus("closed")

        @app.action("x", http="GET /x", socket="x")
        async def x() -> int:
            return 1

        with pytest.raises(WiringError) as caught:
            app.check()
        assert [problem.code for problem in caught.value.problems] == ["not-attached", "not-attached"]


async def test_a_prefix_and_a_namespace_are_put_before_doors() -> None:
    app = Daebus("named")
    app.attach(DaebusHttp(port=0))
    app.attach(DaebusWebSocket())
    named = Blueprint("named", prefix="/v1", namespace="shop")

    @named.action("x", http="GET /x", socket="x")
    async def x() -> int:
        return 1

    app.register_blueprint(named)
    async with running(app) as service, service.socket() as socket:
        assert (await service.http.get("/v1/x")).json() == 1
        assert bytes((await socket.ask("shop.x")).data) == b"1"


def test_contracts_with_doors_are_typed() -> None:
    doors = Blueprint("typed")
    get = Action[Range, int]("get")
    watch = StreamAction[Range, int]("watch")

    @doors.action(get, http="GET /get", socket="get")
    async def handle(query: Range) -> int:
        return query.low

    @doors.action(watch, sse="GET /watch")
    async def stream(query: Range) -> AsyncIterator[int]:
        yield query.low

    assert (handle.name, stream.name) == ("get", "watch")
