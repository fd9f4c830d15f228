from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, cast

import msgspec
import pytest
from tests.support import recorded

from daebus.declare.contracts import Action, Channel, StreamAction
from daebus.declare.policies import Policy
from daebus.declare.recorder import Recorder
from daebus.declare.running import Running
from daebus.declare.schedules import Cron, Interval
from daebus.declare.specs import (
    ActionSpec,
    BackgroundSpec,
    LifecycleSpec,
    ListenSpec,
    RouteSpec,
    SocketSpec,
    Spec,
    ThreadSpec,
)
from daebus.errors import WiringError, WiringProblem
from daebus.mistakes.places import show_path


class User(msgspec.Struct):
    id: str


class Created(msgspec.Struct, tag="created"):
    id: str


GET_USER = Action[str, User]("get_user", service="users")
ALL_USERS = StreamAction[None, User]("all_users", service="users")
EVENTS = Channel[Created]("user_events", durable=True)


def here() -> int:
    return cast("FrameType", cast("FrameType", inspect.currentframe()).f_back).f_lineno


@pytest.fixture
def users() -> Recorder:
    return Recorder("users", prefix="/api/", namespace="v1")


def last(recorder: Recorder) -> Spec:
    return recorded(recorder)[-1]


def refusal(wrong: Callable[[], object]) -> WiringProblem:
    with pytest.raises(WiringError) as caught:
        wrong()
    (problem,) = caught.value.problems
    place, _, line = problem.where.rpartition(":")
    assert place == show_path(__file__)
    assert int(line) > 0
    return problem


def test_a_named_action_is_recorded_under_the_namespace(users: Recorder) -> None:
    @users.action("get_user", concurrency=4)
    async def get_user(user_id: str) -> User:
        return User(user_id)

    spec = last(users)
    assert isinstance(spec, ActionSpec)
    assert (spec.name, spec.contract, spec.concurrency) == ("v1.get_user", None, 4)
    assert (spec.title, spec.keys, spec.blueprint) == ("action v1.get_user", ("action v1.get_user",), "users")


def test_the_name_of_a_contract_is_final(users: Recorder) -> None:
    @users.action(GET_USER)
    async def get_user(user_id: str) -> User:
        return User(user_id)

    @users.action(ALL_USERS)
    async def all_users() -> AsyncIterator[User]:
        yield User("1")

    first, second = recorded(users)
    assert isinstance(first, ActionSpec)
    assert (first.name, first.contract, first.concurrency) == ("get_user", GET_USER, None)
    assert isinstance(second, ActionSpec)
    assert (second.name, second.contract) == ("all_users", ALL_USERS)


def test_a_listener_is_recorded_with_its_channel_and_claims_nothing(users: Recorder) -> None:
    @users.listen(EVENTS)
    async def on_event(event: Created) -> None: ...

    @users.listen("plain")
    def on_plain(event: Created) -> None: ...

    first, second = recorded(users)
    assert isinstance(first, ListenSpec)
    assert isinstance(second, ListenSpec)
    assert (first.channel, first.contract, first.name) == ("user_events", EVENTS, "users.on_event")
    assert (second.channel, second.contract, second.keys) == ("plain", None, ())
    assert second.title == "listen plain"


def test_how_a_handler_is_tried_is_recorded(users: Recorder) -> None:
    @users.action("get_user", retries=0, timeout=2.5)
    async def get_user(user_id: str) -> User:
        return User(user_id)

    @users.listen(EVENTS, backoff=0.5)
    async def on_event(event: Created) -> None: ...

    first, second = recorded(users)
    assert isinstance(first, ActionSpec)
    assert isinstance(second, ListenSpec)
    assert first.policy == Policy(retries=0, timeout=2.5)
    assert second.policy == Policy(backoff=0.5)


def test_what_is_never_tried_again_is_refused_where_it_stands(users: Recorder) -> None:
    def stream() -> None:
        @users.action("all_users", retries=3)
        async def all_users() -> AsyncIterator[User]:
            yield User("1")

    problem = refusal(stream)
    assert (problem.code, problem.subject) == ("never-retried", "@action('v1.all_users')")
    plain: Any = users.listen
    problem = refusal(lambda: plain("plain", retries=3))
    assert (problem.code, problem.subject) == ("never-retried", "@listen('plain')")
    assert problem.found == "retries=3, but only a durable channel keeps its events"
    problem = refusal(lambda: users.action("get_user", retries=-1))
    assert (problem.code, problem.subject) == ("wrong-option", "@action('v1.get_user')")


def test_a_route_is_recorded_below_the_prefix(users: Recorder) -> None:
    @users.route("/users/<user_id>", methods=["GET", "PUT"], status_code=202, tags=["users"])
    def put_user(user_id: str) -> User:
        return User(user_id)

    @users.route("/users")
    def get_users() -> list[User]:
        return []

    first, second = recorded(users)
    assert isinstance(first, RouteSpec)
    assert isinstance(second, RouteSpec)
    assert (first.path, first.methods, first.status_code) == ("/api/users/<user_id>", ("GET", "PUT"), 202)
    assert first.options == {"tags": ["users"]}
    assert first.keys == ("route GET /api/users/<user_id>", "route PUT /api/users/<user_id>")
    assert first.title == "route GET|PUT /api/users/<user_id>"
    assert (second.methods, second.status_code) == (("GET",), None)


def test_sockets_are_recorded_by_type_under_the_namespace(users: Recorder) -> None:
    def handler() -> None: ...

    users.socket("get_users")(handler)
    users.socket_register()(handler)
    users.socket_connect()(handler)
    users.socket_disconnect()(handler)
    specs = [spec for spec in recorded(users) if isinstance(spec, SocketSpec)]
    assert [(spec.event, spec.type) for spec in specs] == [
        ("message", "v1.get_users"),
        ("message", "register"),
        ("connect", ""),
        ("disconnect", ""),
    ]
    assert [spec.keys for spec in specs] == [
        ("socket v1.get_users",),
        ("socket register",),
        ("socket_connect",),
        (),
    ]


def test_a_background_task_is_recorded_with_its_schedule(users: Recorder) -> None:
    def task() -> None: ...

    users.background("a", 3600)(task)
    users.background("b", every=timedelta(minutes=2), scope="replica")(task)
    users.background("c", cron="0 3 * * *")(task)
    specs = [spec for spec in recorded(users) if isinstance(spec, BackgroundSpec)]
    assert [(spec.name, spec.schedule, spec.scope) for spec in specs] == [
        ("a", Interval(3600), "service"),
        ("b", Interval(120), "replica"),
        ("c", Cron("0 3 * * *"), "service"),
    ]
    assert specs[0].keys == ("background a",)


def test_a_thread_is_recorded_with_how_it_starts(users: Recorder) -> None:
    def monitor(running: Running) -> None: ...

    users.thread("monitor")(monitor)
    users.thread("other", auto_start=False, restart=True)(monitor)
    specs = [spec for spec in recorded(users) if isinstance(spec, ThreadSpec)]
    assert [(spec.name, spec.auto_start, spec.restart) for spec in specs] == [
        ("monitor", True, False),
        ("other", False, True),
    ]
    assert specs[0].keys == ("thread monitor",)


def test_the_handlers_of_start_and_stop_are_recorded_and_claim_nothing(users: Recorder) -> None:
    def warm_up() -> None: ...

    users.on_start()(warm_up)
    users.on_stop()(warm_up)
    specs = [spec for spec in recorded(users) if isinstance(spec, LifecycleSpec)]
    assert [(spec.event, spec.title, spec.keys) for spec in specs] == [
        ("start", "on_start warm_up", ()),
        ("stop", "on_stop warm_up", ()),
    ]


def test_handlers_are_kept_in_their_order_with_the_place_of_each(users: Recorder) -> None:
    line = here()

    @users.on_start()
    def first() -> None: ...

    @users.on_start()
    def second() -> None: ...

    assert [spec.where for spec in recorded(users)] == [
        f"{show_path(__file__)}:{line + 2}",
        f"{show_path(__file__)}:{line + 5}",
    ]


def test_without_prefix_and_namespace_names_stay_as_they_are() -> None:
    recorder = Recorder("users")

    def handler() -> None: ...

    recorder.action("get")(handler)
    recorder.route("/get")(handler)
    recorder.socket("get")(handler)
    assert [spec.title for spec in recorded(recorder)] == ["action get", "route GET /get", "socket get"]


def test_a_handler_that_is_not_an_action_stays_the_function_that_it_is(users: Recorder) -> None:
    def handler(event: Created) -> None: ...

    decorators: list[Callable[[Any], object]] = [
        users.listen("a"),
        users.listen(EVENTS),
        users.route("/a"),
        users.socket("a"),
        users.background("a", 1),
        users.thread("a"),
        users.on_start(),
        users.on_stop(),
    ]
    assert all(decorate(handler) is handler for decorate in decorators)
    assert len(recorded(users)) == 8


def test_handlers_may_be_defined_inside_of_functions_with_local_types(users: Recorder) -> None:
    class Local(msgspec.Struct):
        id: str

    @users.action("a")
    async def handler(query: Local) -> list[Local]:
        return [query]

    @users.on_start()
    def other(*, local: Local) -> None: ...

    first, second = recorded(users)
    assert first.read_signature().left[0].annotation is Local
    assert first.read_signature().returns == list[Local]
    assert second.read_signature().right[0].annotation is Local
    assert handler.types == (Local, list[Local])


class App(Recorder):
    def register(self, other: Recorder, reason: str) -> Sequence[Spec]:
        return self._take_over(other, reason)


def test_a_closed_recorder_refuses_handlers_and_says_why(users: Recorder) -> None:
    app = App("app")
    assert app.register(users, "the blueprint was registered at app.py:12") == ()
    app.register(users, "the app was started")

    def decorate() -> None:
        @users.action("late")
        async def late() -> None: ...

    problem = refusal(decorate)
    assert problem.subject == "action v1.late of 'users'"
    assert problem.found == "it comes too late: the blueprint was registered at app.py:12"
    assert recorded(users) == ()


def test_a_mistake_has_the_place_of_the_decorator(users: Recorder) -> None:
    line = here() + 2
    with pytest.raises(WiringError) as caught:
        users.action("a", concurrency=0)
    assert caught.value.problems[0].where == f"{show_path(__file__)}:{line}"


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "3", True])
def test_a_concurrency_below_one_is_refused(users: Recorder, concurrency: object) -> None:
    problem = refusal(lambda: users.action("a", concurrency=cast("int", concurrency)))
    assert (problem.subject, problem.found) == (
        "@action('v1.a')",
        f"concurrency={concurrency!r}, which must be a whole number of at least 1",
    )


def test_a_background_task_has_exactly_one_schedule_that_makes_sense(users: Recorder) -> None:
    background = cast("Callable[..., object]", users.background)
    wrong: list[tuple[dict[str, object], str, str]] = [
        ({}, "a background task has exactly one schedule", "give seconds, or every"),
        ({"seconds": 1, "cron": "* * * * *"}, "a background task has exactly one schedule", "give seconds, or every"),
        ({"seconds": -1}, "the interval is -1 seconds", "give a number above 0"),
        ({"every": 5}, "every=5 is not a timedelta", "write every=timedelta(seconds=...)"),
        ({"cron": "nonsense"}, "the cron expression 'nonsense' has 1 fields", "give five (minute, hour, "),
        ({"cron": "61 * * * *"}, "the minute of the cron expression '61 * * * *' is malformed", "give seconds, or"),
        ({"cron": "0 0 30 2 *"}, "the day-of-month of the cron expression", "give seconds, or"),
    ]
    for arguments, found, remedy in wrong:
        problem = refusal(partial(background, "cleanup", **arguments))
        assert (problem.code, problem.subject) == ("wrong-schedule", "@background('cleanup')")
        assert problem.found.startswith(found)
        assert problem.remedy.startswith(remedy)


def test_an_empty_name_is_refused(users: Recorder) -> None:
    assert refusal(lambda: users.action("")).subject == "@action('')"
    assert refusal(lambda: users.listen("")).subject == "@listen('')"
    assert refusal(lambda: users.socket("")).subject == "@socket('')"
    assert refusal(lambda: users.background("", 1)).subject == "@background('')"
    assert refusal(lambda: users.thread("")).subject == "@thread('')"


def test_a_decorator_without_its_brackets_is_refused(users: Recorder) -> None:
    def handler() -> None: ...

    problem = refusal(lambda: cast("Callable[..., object]", users.action)(handler))
    assert problem.subject == "@action"
    assert problem.found == "it is used without parentheses, and it takes a name or an Action or a StreamAction"
    assert problem.remedy == 'write @action("the_name")'
    assert refusal(lambda: cast("Callable[..., object]", users.listen)(handler)).found.endswith("a name or a Channel")


def test_a_contract_of_another_kind_is_refused(users: Recorder) -> None:
    problem = refusal(lambda: cast("Callable[..., object]", users.action)(EVENTS))
    assert problem.found.endswith("not Channel[Created]('user_events')")
    assert problem.remedy == "write @listen(...)"
    of_its_class = refusal(lambda: cast("Callable[..., object]", users.action)(type(GET_USER)))
    assert of_its_class.found.endswith("and this is the class of a contract")
    assert refusal(lambda: cast("Callable[..., object]", users.listen)(GET_USER)).found.startswith("it takes a name")


def test_what_is_no_function_is_refused_as_a_handler(users: Recorder) -> None:
    class Callee:
        def __call__(self) -> None: ...

    action = cast("Callable[[str], Callable[[object], object]]", users.action)
    for wrong in (Callee(), partial(here), Callee):
        problem = refusal(partial(users.route("/a"), wrong))
        assert problem.found.startswith("the handler is not a function, but ")
        assert refusal(partial(action("a"), wrong)).code == "not-a-function"
    assert recorded(users) == ()


def test_a_static_method_is_the_function_that_it_is(users: Recorder) -> None:
    class Made:
        @classmethod
        def make(cls) -> None: ...

    class Handlers:
        @users.route("/a")
        @staticmethod
        async def static() -> None: ...

    assert recorded(users)[0].read_signature().is_async
    assert (
        refusal(lambda: users.route("/b")(cast("Callable[..., object]", vars(Made)["make"]))).code == "not-a-function"
    )
    assert Handlers.static.__name__ == "static"


def test_decorators_without_arguments_need_their_brackets_too(users: Recorder) -> None:
    for name in ("on_start", "on_stop", "socket_connect", "socket_disconnect", "socket_register"):
        problem = refusal(partial(getattr(users, name), here))
        assert (problem.code, problem.subject) == ("wrong-name", f"@{name}")
        assert problem.remedy == f"write @{name}()"
    problem = refusal(lambda: cast("Callable[..., object]", users.route)(here))
    assert (problem.code, problem.subject) == ("malformed-path", "@route")


def test_methods_are_a_list_and_each_counts_once(users: Recorder) -> None:
    problem = refusal(lambda: users.route("/a", methods="POST"))  # type: ignore[arg-type]
    assert (problem.code, problem.remedy) == ("wrong-method", "write methods=['POST']")

    @users.route("/a", methods=["get", "GET", "post"])  # type: ignore[list-item]
    async def handler() -> None: ...

    assert recorded(users)[0].title == "route GET|POST /api/a"


def test_a_path_without_its_slash_is_not_joined_to_the_prefix(users: Recorder) -> None:
    @users.route("a")  # type: ignore[daebus-path]
    async def wrong() -> None: ...
    @users.route("")
    async def root() -> None: ...

    assert [spec.title for spec in recorded(users)] == ["route GET a", "route GET /api"]
    assert refusal(lambda: Recorder("users", prefix="v1")).code == "malformed-path"


@pytest.mark.parametrize("name", ["response", "error"])
def test_the_types_of_answers_are_taken(users: Recorder, name: str) -> None:
    assert refusal(lambda: Recorder("users").socket(name)).code == "reserved-name"
    users.socket(name)  # its namespace stands before it


def test_names_that_would_break_a_key_are_refused(users: Recorder) -> None:
    assert refusal(lambda: users.action("a b")).code == "wrong-name"
    assert refusal(lambda: users.background("a:b", 1)).code == "wrong-name"
    assert refusal(lambda: users.thread("a{b}")).code == "wrong-name"
    assert refusal(lambda: Recorder("users", namespace="a b")).code == "wrong-name"
    assert refusal(lambda: Recorder("")).found == "the name is ''"
    users.listen("a:b")
    users.socket("a:b")


def test_a_scope_is_one_of_two(users: Recorder) -> None:
    background = cast("Callable[..., object]", users.background)
    problem = refusal(lambda: background("a", 1, scope="host"))
    assert (problem.code, problem.remedy) == ("wrong-option", "give one of 'service', 'replica'")
