"""What is wrong with an app as a whole: told in one error, before anything starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from importlib import import_module
from typing import Annotated, Any, Never, cast

import msgspec
import pytest
from dependency_injector import containers, providers
from litestar import Request, Response
from litestar.datastructures import State, UploadFile
from litestar.di import Provide
from litestar.enums import RequestEncodingType
from litestar.params import Body

from daebus import (
    Action,
    Blueprint,
    BusLimits,
    Channel,
    Client,
    Context,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Message,
    PerMessage,
    Running,
    ServiceContainer,
    Settings,
    WiringError,
    use,
)
from daebus.app.running.web import serve
from daebus.declare.deferring import deferring
from daebus.errors import ConfigurationError
from daebus.mistakes.places import Place
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.sources import line_at


class Created(msgspec.Struct, tag="created"):
    id: str


class Clock:
    pass


class Opaque:
    pass


def is_opaque(kind: object) -> bool:
    return kind is Opaque


def as_it_is(_: type, value: object) -> object:
    return value


DECODERS = [(is_opaque, as_it_is)]


class Container(ServiceContainer):
    clock = providers.Singleton(Clock)


ORDERS = Channel[Created]("orders", durable=True)
PLAIN_ORDERS = Channel[Created]("orders")
GET = Action[None, None]("get", service="users")
PUT = Action[None, None]("put", service="users")
BUY = Action[None, None]("buy", service="orders")


def problems(wrong: Callable[[], object]) -> list[WiringProblem]:
    with pytest.raises(WiringError) as caught:
        wrong()
    return list(caught.value.problems)


def codes(wrong: Callable[[], object]) -> list[str]:
    return [problem.code for problem in problems(wrong)]


def source(where: WiringProblem | str | None) -> str:
    """The line that a problem, or a note, points at, without what it says to mypy."""
    span = where.span if isinstance(where, WiringProblem) else where.span() if isinstance(where, Place) else None
    assert span is not None
    return line_at(span.path, span.line).partition("  # type: ")[0].strip()


class TestTogether:
    def test_handlers_attachments_contracts_and_container_are_told_in_one_error(self) -> None:
        class Unfilled(ServiceContainer):
            clock: providers.Dependency[Clock] = providers.Dependency(instance_of=Clock)

        class Fakes(containers.DeclarativeContainer):
            clcok = providers.Object(3)

        container = Unfilled()
        container.override(Fakes())  # type: ignore[daebus-wiring]
        shop = Blueprint("shop", services=Unfilled)

        @shop.action(BUY)
        async def buy(*, clock: Clock) -> None: ...
        @shop.action(GET)
        async def get() -> None: ...

        app = Daebus("shop", container=container)
        app.register_blueprint(shop)

        @app.action("wrong")
        async def wrong(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]
        @app.route("/x")
        async def route() -> None: ...
        @app.socket("x")
        async def socket() -> None: ...

        assert codes(app.check) == [
            "unknown-service",
            "unknown-override",
            "undefined-dependency",
            "not-attached",
            "not-attached",
            "foreign-contract",
            "foreign-contract",
        ]
        assert len(codes(app.check)) == 7  # asking again changes nothing

    def test_a_blueprint_tells_its_own_at_once(self) -> None:
        shop = Blueprint("shop", services=Container)

        @shop.action("a")
        async def a(clock: Clock) -> None: ...  # type: ignore[daebus-signature]
        @shop.on_start()
        async def warm_up(number: int) -> None: ...  # type: ignore[daebus-signature]

        app = Daebus("shop", container=Container())
        assert codes(lambda: app.register_blueprint(shop)) == ["forgotten-star", "unexpected-payload"]

    def test_what_one_handler_needs_is_told_also_where_another_is_wrong(self) -> None:
        class Unbuilt(ServiceContainer):
            created = cast("Any", providers.Singleton)(Created)

        app = Daebus("shop", container=Unbuilt())
        app.attach(DaebusHttp())

        @app.action("right")
        async def right(*, created: Created) -> None: ...
        @app.route("/a")
        async def query(user: Created) -> None: ...
        @app.action("wrong")
        async def wrong(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]

        assert codes(app.check) == ["unknown-service", "wrong-argument", "not-in-query"]

    def test_while_deferring_all_blueprints_are_told_by_the_check(self) -> None:
        class Looping(ServiceContainer):
            clock = providers.Factory(Opaque)
            clock.add_kwargs(clock=clock)

        first, second = Blueprint("first"), Blueprint("second")
        for blueprint in (first, second):

            @blueprint.action(blueprint.name)
            async def handler(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]

        with deferring():
            app = Daebus("shop", container=Looping())
            app.register_blueprint(first)
            app.register_blueprint(first)
            app.register_blueprint(second)
        expected = ["unknown-service", "duplicate-blueprint", "unknown-service", "dependency-cycle"]
        assert codes(app.check) == expected

        def in_one_go() -> None:
            with deferring():
                again = Daebus("shop", container=Looping())
                again.register_blueprint(first)
                again.check()

        assert codes(in_one_go) == ["unknown-service", "dependency-cycle"]

    def test_a_mistake_that_stops_the_import_hides_no_other(self) -> None:
        shop = Blueprint("shop")

        @shop.action("a")
        async def handler(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]

        def load() -> None:
            with deferring():
                Daebus("shop").register_blueprint(shop)
                Daebus("other", container=cast("ServiceContainer", ServiceContainer))

        assert codes(load) == ["unknown-service", "wrong-container"]

    def test_the_mistakes_come_in_the_order_of_the_handlers(self) -> None:
        shop = Blueprint("shop")

        @shop.action("a")
        async def one(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]
        @shop.action("a")  # type: ignore[daebus-duplicate]
        async def two(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]
        @shop.action("c")
        async def three(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]

        told = problems(lambda: Daebus("shop").register_blueprint(shop))
        assert [problem.code for problem in told] == ["unknown-service", "duplicate-handler", *["unknown-service"] * 2]
        twice = told[1]
        assert source(twice) == '@shop.action("a")'
        assert [source(note.where) for note in twice.notes] == ['@shop.action("a")']
        assert twice.line is not None
        assert twice.notes[0].where != twice.where


class TestListeners:
    def test_two_listeners_that_would_share_a_group_are_refused(self) -> None:
        shop = Blueprint("shop")

        def listener() -> Callable[..., None]:
            def on_order(event: Created) -> None: ...

            return on_order

        shop.listen(ORDERS)(listener())
        shop.listen(ORDERS)(listener())
        (problem,) = problems(lambda: Daebus("app").register_blueprint(shop))
        assert problem.code == "duplicate-listener"
        assert problem.found.startswith("another listener is called 'shop.on_order' too")
        assert source(problem) == source(problem.notes[0].where) == "shop.listen(ORDERS)(listener())"

    def test_the_app_and_a_blueprint_of_its_name_would_share_a_group(self) -> None:
        shop, app = Blueprint("shop"), Daebus("shop")
        for recorder in (shop, app):

            @recorder.listen(ORDERS)
            async def on_order(event: Created) -> None: ...

        app.register_blueprint(shop)
        assert codes(app.check) == ["duplicate-listener"]

    def test_listeners_with_names_of_their_own_or_of_a_plain_channel_are_accepted(self) -> None:
        shop = Blueprint("shop")

        def listener() -> Callable[..., None]:
            def on_order(event: Created) -> None: ...

            return on_order

        shop.listen("plain")(listener())
        shop.listen("plain")(listener())
        shop.listen(ORDERS)(listener())

        @shop.listen(ORDERS)
        async def other(event: Created) -> None: ...

        Daebus("app").register_blueprint(shop)

    @pytest.mark.parametrize("other", ["orders", PLAIN_ORDERS])
    def test_a_channel_that_is_durable_for_one_listener_alone_is_refused(self, other: Channel[Created]) -> None:
        shop = Blueprint("shop")

        @shop.listen(ORDERS)
        async def kept(event: Created) -> None: ...
        @shop.listen(ORDERS)
        async def kept_too(event: Created) -> None: ...
        @shop.listen(other)
        async def plain(event: Created) -> None: ...

        (problem,) = problems(lambda: Daebus("app").register_blueprint(shop))
        assert (problem.code, problem.remedy) == ("mixed-durability", "give both listeners the same Channel contract")
        assert [note.text for note in problem.notes] == ["durable"]


class TestServiceName:
    def app(self, name: str, *contracts: Action[None, None], service: str | None = None) -> Daebus:
        app = Daebus(name, service=service)
        for contract in contracts:

            @app.action(contract)
            async def handler() -> None: ...

        return app

    @pytest.mark.parametrize("name", ["user_service.app", "__main__"])
    def test_contracts_of_one_other_service_are_one_mistake(self, name: str) -> None:
        (problem,) = problems(self.app(name, GET, PUT).check)
        assert (problem.code, problem.subject) == ("service-not-named", f"Daebus({name!r})")
        assert problem.found == (
            "the contracts of its 2 actions belong to the service 'users', and the name of this service is not set"
        )
        assert problem.remedy.startswith('run it with --service users, call app.run(service="users")')
        assert source(problem) == "app = Daebus(name, service=service)"
        assert problems(self.app(name, GET).check)[0].found.startswith("the contract of its action belongs to")

    def test_once_the_service_is_named_each_foreign_contract_is_told(self) -> None:
        for wrong in (self.app("a", GET, PUT, service="shop").check, lambda: self.app("a", GET, PUT).check("shop")):
            first, second = problems(wrong)
            assert (first.code, second.code) == ("foreign-contract", "foreign-contract")
            assert first.found == "its contract belongs to the service 'users', but this service is 'shop'"
            assert source(first.notes[0].where).startswith("GET = Action")

    def test_contracts_of_several_services_are_told_each(self) -> None:
        assert codes(self.app("a", GET, BUY).check) == ["foreign-contract"] * 2
        assert codes(self.app("users", GET, BUY).check) == ["foreign-contract"]

    def test_a_contract_of_this_service_or_of_none_is_accepted(self) -> None:
        none = Action[None, None]("none")
        assert self.app("users", GET, PUT, none).check().service == "users"
        assert self.app("a", GET, PUT, none).check("users").service == "users"

    def test_no_name_at_all_is_told_with_the_other_mistakes_or_alone(self) -> None:
        with pytest.raises(ConfigurationError, match=r"has no name: call app\.run"):
            Daebus("__main__").check()
        app = self.app("__main__")

        @app.action("x")
        async def handler(*, clokc: Clock) -> None: ...  # type: ignore[daebus-wiring]

        assert codes(app.check) == ["unknown-service", "service-not-named"]

    def test_a_contract_whose_handler_is_replaced_does_not_matter(self) -> None:
        old, new = Blueprint("old"), Blueprint("new")

        @old.action(Action[None, None]("get", service="other"))
        async def theirs() -> None: ...
        @new.action(GET)
        async def ours() -> None: ...

        app = Daebus("users")
        app.register_blueprint(old)
        app.register_blueprint(new)
        app.check()


class TestComponents:
    def test_handlers_without_their_component_are_shown(self) -> None:
        app = Daebus("app")

        @app.route("/a")
        async def a() -> None: ...
        @app.route("/b")
        async def b() -> None: ...
        @app.route("/c")
        async def c() -> None: ...
        @app.socket_disconnect()
        async def gone() -> None: ...

        routes, sockets = problems(app.check)
        assert (source(routes), source(sockets)) == ('@app.route("/a")', "@app.socket_disconnect()")
        assert [(note.text, source(note.where)) for note in routes.notes] == [
            ("the same applies to 2 others", '@app.route("/b")')
        ]
        assert sockets.notes == ()

    def test_what_is_attached_wrongly_is_shown(self) -> None:
        app = Daebus("app")
        (no_component,) = problems(lambda: app.attach(cast("DaebusHttp", DaebusHttp)))
        assert (no_component.code, no_component.subject) == ("wrong-component", "attach(DaebusHttp)")
        app.attach(DaebusWebSocket())
        (twice,) = problems(lambda: app.attach(DaebusWebSocket()))
        assert (twice.code, source(twice.notes[0].where)) == ("duplicate-component", "app.attach(DaebusWebSocket())")
        (alone,) = problems(app.check)
        assert (alone.code, source(alone)) == ("not-attached", "app.attach(DaebusWebSocket())")

    def test_the_container_of_a_blueprint_is_a_class(self) -> None:
        app = Daebus("app")
        shop = Blueprint("shop", services=cast("type[ServiceContainer]", Container()))
        (problem,) = problems(lambda: app.register_blueprint(shop))
        assert problem.code == "wrong-container"
        assert problem.remedy.startswith("name the class: Blueprint('shop', services=Container)")
        assert codes(lambda: Daebus("app", container=cast("Container", Container))) == ["wrong-container"]

    def test_an_override_since_the_app_was_made_is_seen_at_the_start(self) -> None:
        app = Daebus("app", container=Container())
        clock = app.container.clock
        with clock.override(providers.Factory(Opaque, clock=clock)):  # type: ignore[call-arg]
            assert codes(app.check) == ["dependency-cycle"]
        app.check(may_idle=True)


class TestRoutes:
    def undecodable(self, app: Daebus, **litestar: object) -> list[str | None]:
        app.attach(DaebusHttp(**litestar))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        told = problems(app.check)
        assert {problem.code for problem in told} == {"undecodable"}
        return [problem.parameter for problem in told]

    def test_what_no_request_can_hold_is_refused(self) -> None:
        app = Daebus("app")

        @app.route("/a/<path>", methods=["POST"])
        async def handler(path: str, size: int, what: Opaque, data: list[Opaque], context: Context) -> None: ...

        assert self.undecodable(app) == ["what", "data"]

    def test_what_litestar_makes_itself_is_accepted(self) -> None:
        app = Daebus("app")
        app.attach(DaebusHttp(dependencies={"everywhere": Provide(Opaque, sync_to_thread=False)}))

        @app.route("/a", methods=["POST"])
        async def upload(
            data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)],
            everywhere: Opaque,
            request: Request[object, object, State],
        ) -> None: ...

        @app.route("/b", dependencies={"here": Provide(Opaque, sync_to_thread=False)})
        async def here(here: Opaque) -> None: ...
        @app.route("/c", type_decoders=DECODERS)
        async def decoded(what: Opaque) -> None: ...

        app.check()

    def test_where_litestar_has_decoders_of_its_own_it_is_believed(self) -> None:
        app = Daebus("app")
        app.attach(DaebusHttp(type_decoders=DECODERS))

        @app.route("/a")
        async def handler(what: Opaque) -> None: ...

        app.check()

    def test_path_and_services_are_told_at_once(self) -> None:
        app = Daebus("app", container=Container())
        app.attach(DaebusHttp())

        @app.route("/<user_id>")  # type: ignore[daebus-path]
        async def handler(clock: Clock, *, user_id: str, clokc: Clock) -> None: ...  # type: ignore[daebus-signature, daebus-wiring]

        assert codes(app.check) == ["path-mismatch", "forgotten-star", "unknown-service"]


class TestKinds:
    """Each kind of handler, with what it may not have."""

    def told(self, record: Callable[[Daebus], object]) -> WiringProblem:
        app = Daebus("app")
        app.attach(DaebusHttp())
        app.attach(DaebusWebSocket())
        record(app)
        (problem,) = problems(app.check)
        return problem

    def test_a_client_belongs_to_socket_handlers(self) -> None:
        async def handler(client: Client) -> None: ...

        records: list[Callable[[Daebus], object]] = [
            lambda app: app.action("a")(handler),
            lambda app: app.route("/a")(handler),
            lambda app: app.background("a", 1)(handler),
            lambda app: app.on_start()(handler),
        ]
        for record in records:
            problem = self.told(record)
            assert problem.code == "wrong-part"
            assert problem.found.endswith("has no Client: only socket handlers have one")

    def test_the_switch_belongs_to_threads(self) -> None:
        async def handler(running: Running) -> None: ...

        assert (
            self.told(lambda app: app.on_stop()(handler)).found
            == "an on_stop handler has no Running: only threads have one"
        )
        assert self.told(lambda app: app.socket("x")(handler)).code == "wrong-part"

    def test_a_thread_takes_its_switch_and_is_no_coroutine(self) -> None:
        def endless() -> None: ...
        async def on_loop(running: Running) -> None: ...

        def thread(handler: Callable[..., object]) -> Callable[[Daebus], object]:
            return lambda app: cast("Callable[[object], object]", app.thread("t"))(handler)

        assert self.told(thread(endless)).code == "unstoppable-thread"
        assert self.told(thread(on_loop)).code == "async-thread"

    def test_a_connect_handler_takes_one_payload(self) -> None:
        async def connect(first: Created, second: Created) -> None: ...

        assert self.told(lambda app: app.socket_connect()(connect)).code == "second-payload"

    def test_nothing_but_actions_streams(self) -> None:
        async def stream() -> AsyncIterator[int]:
            yield 1

        remedies = [
            self.told(lambda app: app.route("/a")(stream)).remedy,
            self.told(lambda app: cast("Callable[[object], object]", app.socket_connect())(stream)).remedy,
            self.told(lambda app: cast("Callable[[object], object]", app.on_start())(stream)).remedy,
        ]
        assert remedies == [
            "return one value, or a litestar.response.Stream",
            "return one value",
            "remove the yield; for an object that must be closed, use a providers.Resource",
        ]


def test_the_names_of_answers_are_taken() -> None:
    for name in ("response", "error"):
        (problem,) = problems(lambda name=name: Message[int](name))  # type: ignore[misc]
        assert (problem.code, source(problem)) == (
            "reserved-name",
            "(problem,) = problems(lambda name=name: Message[int](name))",
        )


def test_a_contract_that_cannot_go_over_the_wire_is_refused_where_it_is_made() -> None:
    (problem,) = problems(lambda: Channel[list[Opaque]]("things"))  # type: ignore[type-var]
    assert (problem.code, problem.found) == (
        "undecodable",
        "it cannot go over the wire as JSON: Opaque has no JSON form",
    )


def test_a_per_message_object_that_a_singleton_keeps_is_refused() -> None:
    async def open_session() -> AsyncIterator[Opaque]:
        yield Opaque()

    class Capturing(ServiceContainer):
        session = PerMessage(open_session)
        repo = providers.Singleton(Opaque, session)  # type: ignore[call-arg, daebus-wiring]

    assert codes(lambda: Daebus("app", container=Capturing())) == ["captured-message-object"]


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"max_concurrency": 0},
            {"max_workers": -1},
            {"max_workers": 1.5},
            {"max_buffered": 0},
            {"partitions": 0},
            {"partitions": True},
            {"partitions": 1025},
            {"stop_timeout": -1},
            {"stop_timeout": float("inf")},
            {"lease": 0},
            {"lease": float("nan")},
            {"lease": "15"},
            {"legacy": "yes"},
            {"on_conflict": "wran"},
            {"limits": 3},
        ],
    )
    def test_what_an_app_cannot_run_with_is_refused(self, options: dict[str, object]) -> None:
        (problem,) = problems(lambda: cast("Callable[..., object]", Settings)(**options))
        name, value = next(iter(options.items()))
        assert (problem.code, problem.subject) == ("wrong-option", "Settings(...)")
        assert problem.found.startswith(f"{name}={value!r}")
        assert "Settings)(**options)" in source(problem)

    def test_limits_of_the_bus_and_settings_of_another_type_are_refused(self) -> None:
        for name in ("max_message_size", "max_reply_size", "max_dead_size", "max_streams"):
            (problem,) = problems(lambda name=name: BusLimits(**{name: 0}))  # type: ignore[misc]
            assert (problem.code, problem.subject) == ("wrong-option", "BusLimits(...)")
            assert problem.found.startswith(f"{name}=0")
        (problem,) = problems(lambda: Daebus("app", settings=cast("Settings", {"lease": 3})))
        assert (problem.code, problem.found) == ("wrong-option", "settings={'lease': 3}, which must be Settings")

    def test_what_an_app_can_run_with_is_accepted(self) -> None:
        Daebus(
            "app", settings=Settings(max_concurrency=1, max_workers=1, stop_timeout=0, lease=0.5, on_conflict="error")
        ).check(may_idle=True)
        Daebus("app", service="a.b", settings=Settings(partitions=1024)).check(may_idle=True)

    def test_a_service_has_a_name_that_keys_can_have(self) -> None:
        assert codes(lambda: Daebus("app", service="a b")) == ["wrong-name"]
        assert codes(lambda: Daebus("app", service="")) == ["wrong-name"]
        assert codes(Daebus("my app").check) == ["wrong-name"]
        assert codes(lambda: Daebus("app").check("a:b")) == ["wrong-name"]
        Daebus("my app").check("shop", may_idle=True)

    def test_only_blueprints_are_registered_and_only_containers_passed(self) -> None:
        app = Daebus("app")
        for wrong in ("users", Blueprint):
            assert codes(lambda wrong=wrong: app.register_blueprint(cast("Blueprint", wrong))) == ["wrong-component"]  # type: ignore[misc]
        (problem,) = problems(lambda: Daebus("app", container=cast("Container", {"clock": 1})))
        assert (problem.code, problem.found) == ("wrong-container", "it is a dict")

    def test_http_and_websockets_do_not_both_listen_on_one_port(self) -> None:
        app = Daebus("app")
        app.attach(DaebusHttp(port=8080))
        app.attach(DaebusWebSocket(port=8080))
        (problem,) = problems(app.check)
        assert (problem.code, source(problem)) == ("wrong-option", "app.attach(DaebusWebSocket(port=8080))")
        for other in (None, 8081):
            right = Daebus("app")
            right.attach(DaebusHttp(port=8080))
            right.attach(DaebusWebSocket(port=other))
            right.check(may_idle=True)


class TestDefaults:
    def test_a_default_that_nothing_falls_back_to_is_refused(self) -> None:
        app = Daebus("app", container=Container())
        app.attach(DaebusWebSocket(port=0))
        created, now, of_message = Created("x"), Clock(), cast("Context", None)

        @app.action("a")
        async def a(payload: Created = created, *, clock: Clock = now) -> None: ...
        @app.listen(ORDERS)
        async def b(event: Created = created) -> None: ...
        @app.socket("c")
        async def c(data: Created, client: Client | None = None) -> None: ...  # type: ignore[daebus-signature]
        @app.action("d")
        async def d(context: Context = of_message) -> None: ...

        told = problems(app.check)
        assert [problem.code for problem in told] == [*["unused-default"] * 3, "second-payload", "unused-default"]
        assert "payload: Created | None" in told[0].remedy

    def test_a_route_falls_back_to_its_defaults(self) -> None:
        app = Daebus("app")
        app.attach(DaebusHttp())

        @app.route("/a")
        async def a(limit: int = 3, name: str | None = None) -> None: ...

        app.check()

    def test_what_other_frameworks_write_there_is_told_with_use(self) -> None:
        app = Daebus("app", container=Container())
        provider: Any = Container.clock
        marker: Any = cast("Any", import_module("dependency_injector.wiring")).Provide[Container.clock]

        @app.action("a")
        async def a(*, clock: Clock = provider) -> None: ...
        @app.action("b")
        async def b(*, time: Clock = marker) -> None: ...  # type: ignore[daebus-wiring]
        @app.action("c")
        async def c(*, time: Clock = use(Container.clock), clock: Clock) -> None: ...

        assert [problem.remedy for problem in problems(app.check)] == [
            "write clock: Clock = use(Container.clock), or leave the default out: 'clock' is its name",
            "write time: Clock = use(Container.clock)",
        ]


class TestReturns:
    def test_what_nobody_gets_is_refused(self) -> None:
        app = Daebus("app")
        listen, background, thread = (
            cast("Callable[..., Any]", one) for one in (app.listen, app.background, app.thread)
        )

        async def created(event: Created) -> Created:
            return event

        async def number() -> int:
            return 1

        def endless(running: Running) -> int:
            return 1

        async def never() -> Never:
            raise AssertionError

        listen("a")(created)
        background("b", 1)(number)
        cast("Callable[..., Any]", app.on_start())(number)
        thread("d")(endless)
        background("e", 1)(never)
        app.on_stop()(lambda: None)

        told = problems(app.check)
        assert [problem.code for problem in told] == ["unexpected-reply"] * 4
        assert told[1].found == "it returns int, but a value that a background task returns is not used"

    def test_a_decorator_must_not_hide_what_is_awaited(self) -> None:
        def timed(function: Callable[..., object]) -> Callable[..., Any]:
            @wraps(function)
            def timing(*args: object, **more: object) -> object:
                return function(*args, **more)

            return timing

        def logged(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            @wraps(function)
            async def logging(*args: object, **more: object) -> None:
                await function(*args, **more)

            return logging

        app = Daebus("app")

        @app.action("a")
        @timed
        async def a() -> None: ...
        @app.action("b")
        @timed
        async def b() -> AsyncIterator[int]:
            yield 1

        @app.action("c")
        @logged
        async def c() -> None: ...
        @app.action("d")
        @timed
        def d() -> None: ...

        told = problems(app.check)
        assert [problem.code for problem in told] == ["hidden-coroutine"] * 2
        assert source(told[0]).startswith("async def a(")


class TestRequests:
    def told(self, record: Callable[[Daebus], object]) -> list[tuple[str, str]]:
        app = Daebus("app")
        app.attach(DaebusHttp())
        record(app)
        try:
            app.check()
        except WiringError as error:
            return [(problem.code, problem.remedy) for problem in error.problems]
        return []

    def test_a_struct_does_not_come_from_the_query(self) -> None:
        async def one(user: Created, limit: int = 3) -> None: ...
        async def optional(user: Created | None = None) -> None: ...
        async def mapping(filters: dict[str, str]) -> None: ...
        async def right(ids: list[int], size: float | None = None, data: Created | None = None) -> None: ...

        assert self.told(lambda app: app.route("/a")(one)) == [
            ("not-in-query", "take each of its fields as a parameter")
        ]
        assert self.told(lambda app: app.route("/a", methods=["POST"])(one)) == [
            ("not-in-query", "name it `data` to take it from the body")
        ]
        assert [code for code, _ in self.told(lambda app: app.route("/a")(optional))] == ["not-in-query"]
        assert [code for code, _ in self.told(lambda app: app.route("/a")(mapping))] == ["not-in-query"]
        assert self.told(lambda app: app.route("/a", methods=["POST"])(right)) == []

    @pytest.mark.parametrize("status", [0, 99, 100, 600, "201"])
    def test_a_status_that_ends_no_request_is_refused(self, status: int) -> None:
        async def nothing() -> None: ...

        assert [code for code, _ in self.told(lambda app: app.route("/a", status_code=status)(nothing))] == [
            "wrong-status"
        ]

    def test_a_status_without_a_body_goes_with_no_return(self) -> None:
        async def nothing() -> None: ...
        async def text() -> str:
            return ""

        async def response() -> Response[None]:
            return Response(None)

        assert [code for code, _ in self.told(lambda app: app.route("/a", status_code=204)(text))] == ["wrong-status"]
        for right in (nothing, response):
            assert self.told(lambda app, right=right: app.route("/a", status_code=204)(right)) == []  # type: ignore[misc]


def test_routes_that_litestar_refuses_are_told_before_anything_is_started() -> None:
    opened: list[str] = []

    class Opening(ServiceContainer):
        clock = providers.Resource(lambda: opened.append("resource"))

    app = Daebus("app", container=Opening())
    app.attach(DaebusHttp(port=0))

    @app.route("/a", guards=3)  # type: ignore[arg-type]
    async def a() -> None: ...
    @app.on_start()
    async def start() -> None:
        opened.append("on_start")

    async def run() -> None:
        async with serve(app.check(), redis_url="redis://127.0.0.1:1"):
            raise AssertionError

    with pytest.raises(WiringError, match="refused-by-litestar"):
        asyncio.run(run())
    assert opened == []
