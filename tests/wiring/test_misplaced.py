"""What stands on the wrong side of the ``*``. The handlers are compiled, never called."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from operator import methodcaller
from typing import Annotated, Any, cast

import msgspec
import pytest
from dependency_injector import containers, providers
from litestar import Request
from tests.support import Decorate, wired

from daebus.core.context import Context
from daebus.declare.contracts import Action
from daebus.declare.running import Running
from daebus.delivery.endpoint import Endpoint
from daebus.delivery.workers import WorkerPool
from daebus.errors import WiringError
from daebus.mistakes.places import made_at
from daebus.mistakes.problem import WiringProblem
from daebus.websocket.clients import Client

Handler = Callable[..., object]


class GetUser(msgspec.Struct):
    id: str


class User(msgspec.Struct):
    id: str


class Settings(msgspec.Struct):
    url: str = ""


class Db:
    pass


class Repo:
    pass


class Opaque:
    pass


class Inner(containers.DeclarativeContainer):
    db = providers.Singleton(Db)


def untold():  # type: ignore[no-untyped-def]
    ...


class Container(containers.DeclarativeContainer):
    repo = providers.Singleton(Repo)
    inner = providers.Container(Inner)
    settings = providers.Singleton(Settings)
    limit = providers.Object(3)
    untold = providers.Factory(cast("Callable[[], object]", untold))


GET_USER = Action[GetUser, User]("get_user")
SETTINGS = Action[Settings, None]("settings")

ACTION = methodcaller("action", "test")
CONTRACT = methodcaller("action", GET_USER)
NO_PAYLOAD = methodcaller("action", Action[None, int]("count"))
SOCKET = methodcaller("socket", "test")
CONNECT = methodcaller("socket_connect")
LISTENER = methodcaller("listen", "events")
TASK = methodcaller("background", "test", 1)
THREAD = methodcaller("thread", "test")
ROUTE = methodcaller("route", "/test", methods=["POST"])
USER_ROUTE = methodcaller("route", "/users/<user_id>", methods=["POST"])


def compiled(handler: Handler, decorate: Decorate) -> Endpoint[Any]:
    return wired(decorate, handler, Container(), WorkerPool(1))


def problems(handler: Handler, decorate: Decorate) -> list[WiringProblem]:
    with pytest.raises(WiringError) as caught:
        compiled(handler, decorate)
    return list(caught.value.problems)


def refusal(handler: Handler, decorate: Decorate) -> WiringProblem:
    (problem,) = problems(handler, decorate)
    return problem


def forgotten(handler: Handler, decorate: Decorate) -> tuple[str, str, str]:
    """The subject, what is said beyond the usual, and the remedy, for a forgotten star."""
    problem = refusal(handler, decorate)
    assert problem.code == "forgotten-star"
    usual = "it is left of the *, where parameters come from the message, but it is a service"
    assert problem.found.startswith(usual)
    return problem.subject, problem.found.removeprefix(usual), problem.remedy


def test_a_service_behind_the_payload_is_told_with_the_corrected_signature() -> None:
    async def handler(query: GetUser, repo: Repo) -> User: ...

    for decorate in (ACTION, CONTRACT, SOCKET):
        assert forgotten(handler, decorate) == (
            "handler(repo: Repo)",
            "",
            "put a bare * before it: handler(query: GetUser, *, repo: Repo)",
        )
    (note,) = refusal(handler, ACTION).notes
    assert note.text == "Container provides 'repo'"
    assert note.where is not None
    assert refusal(handler, ACTION).parameter == "repo"


def test_a_service_in_the_place_of_the_payload_is_told() -> None:
    async def before(repo: Repo, query: GetUser) -> User: ...
    async def alone(repo: Repo) -> None: ...

    assert forgotten(before, CONTRACT)[2] == "put a bare * before it: before(query: GetUser, *, repo: Repo)"
    assert forgotten(alone, ACTION)[2] == "put a bare * before it: alone(*, repo: Repo)"
    assert forgotten(alone, TASK)[2] == "put a bare * before it: alone(*, repo: Repo)"
    assert [problem.code for problem in problems(alone, LISTENER)] == ["forgotten-star", "missing-payload"]


def test_several_services_are_one_mistake() -> None:
    async def handler(query: GetUser, repo: Repo, settings: Settings, *, limit: int) -> User: ...

    assert forgotten(handler, ACTION) == (
        "handler(repo: Repo)",
        ", and so is 'settings'",
        "put a bare * before it: handler(query: GetUser, *, repo: Repo, settings: Settings, limit: int)",
    )


def test_a_service_under_another_name_is_told_by_its_type() -> None:
    async def renamed(query: GetUser, storage: Repo) -> User: ...
    async def nested(query: GetUser, database: Db) -> User: ...

    assert forgotten(renamed, ACTION)[2] == (
        "put a bare * before it, and name it 'repo': renamed(query: GetUser, *, repo: Repo)"
    )
    assert forgotten(nested, ACTION)[2] == (
        "put a bare * before it: nested(query: GetUser, *, database: Db = use(Container.inner.db))"
    )


def test_a_service_whose_type_is_not_known_is_told_by_its_name() -> None:
    async def handler(query: GetUser, untold: Opaque) -> User: ...
    async def bare(query: GetUser, repo) -> User:  # type: ignore[no-untyped-def]
        ...

    assert forgotten(handler, ACTION)[0] == "handler(untold: Opaque)"
    assert forgotten(cast("Handler", bare), ACTION)[2] == "put a bare * before it: bare(query: GetUser, *, repo)"


def test_what_can_be_decoded_is_a_service_only_by_its_name_and_a_type_of_its_own() -> None:
    async def same(settings: Settings) -> None: ...
    async def other_name(options: Settings) -> None: ...
    async def other_type(settings: GetUser) -> None: ...
    async def common_type(limit: int) -> None: ...
    async def described(limit: Annotated[int, msgspec.Meta(ge=1)]) -> None: ...

    assert forgotten(same, ACTION)[2] == "put a bare * before it: same(*, settings: Settings)"
    for handler in (other_name, other_type, common_type, described):
        compiled(handler, ACTION)


def test_what_the_contract_says_is_the_payload_whatever_the_container_has() -> None:
    async def handler(settings: Settings) -> None: ...

    compiled(handler, methodcaller("action", SETTINGS))


def test_behind_the_payload_a_common_type_is_a_service_by_its_name() -> None:
    async def handler(query: GetUser, limit: int) -> None: ...
    async def other(query: GetUser, size: int) -> None: ...

    assert forgotten(handler, ACTION)[2] == "put a bare * before it: handler(query: GetUser, *, limit: int)"
    assert refusal(other, ACTION).code == "second-payload"


def test_of_a_long_signature_only_what_moves_is_written() -> None:
    async def handler(
        a_rather_long_name_for_the_query: GetUser, repo: Repo, *, another_long_name_of_a_service: Repo, limit: int
    ) -> User: ...

    found = problems(handler, ACTION)
    assert [problem.code for problem in found] == ["forgotten-star", "unknown-service"]
    assert found[0].remedy == "put a bare * before it: handler(..., *, repo: Repo, ...)"


def test_a_service_left_of_the_star_of_a_route_is_told() -> None:
    async def handler(user_id: str, limit: int, repo: Repo, data: Settings) -> User: ...
    async def by_type(user_id: str, storage: Repo, *, limit: int) -> User: ...
    async def reserved(
        user_id: str, data: Repo, limit: Opaque, request: Request[Any, Any, Any], context: Context
    ) -> User: ...

    assert forgotten(handler, USER_ROUTE)[2] == (
        "put a bare * before it: handler(user_id: str, limit: int, data: Settings, *, repo: Repo)"
    )
    assert forgotten(by_type, USER_ROUTE)[0] == "by_type(storage: Repo)"
    compiled(reserved, USER_ROUTE)


def test_the_payload_right_of_the_star_is_told_with_the_corrected_signature() -> None:
    async def handler(*, query: GetUser) -> User: ...
    async def event(*, query: GetUser) -> None: ...
    async def beside(*, repo: Repo, query: GetUser) -> User: ...

    for decorate, wrong in ((ACTION, handler), (CONTRACT, handler), (SOCKET, handler), (LISTENER, event)):
        problem = refusal(wrong, decorate)
        assert (problem.code, problem.parameter) == ("misplaced-payload", "query")
        assert problem.found == "it is right of the *, but Container has no provider 'query'"
        assert problem.remedy == f"move it left of the *: {wrong.__name__}(query: GetUser)"
    assert refusal(beside, ACTION).remedy == "move it left of the *: beside(query: GetUser, *, repo: Repo)"


def test_what_cannot_be_the_payload_is_an_unknown_service() -> None:
    async def second(query: GetUser, *, other: User) -> User: ...
    async def opaque(*, other: Opaque) -> None: ...
    async def misspelt(*, reppo: GetUser) -> None: ...
    async def by_type(*, options: Settings) -> None: ...
    async def another(*, query: User) -> User: ...
    async def task(*, query: User) -> None: ...

    for handler, decorate in ((second, ACTION), (opaque, ACTION), (misspelt, ACTION), (by_type, ACTION), (task, TASK)):
        assert refusal(handler, decorate).code == "unknown-service"
    assert [problem.code for problem in problems(another, CONTRACT)] == ["missing-payload", "unknown-service"]
    assert "move it left" not in refusal(task, TASK).remedy
    assert "or move it left of the *" in refusal(second, ACTION).remedy


def test_what_the_transport_hands_over_is_told_right_of_the_star() -> None:
    async def client(data: GetUser, *, client: Client) -> User: ...
    async def context(*, context: Context) -> None: ...
    async def request(*, request: Opaque) -> None: ...

    assert refusal(client, SOCKET).found == "Client comes from the message, not from the container"
    assert refusal(client, SOCKET).remedy == "move it left of the *: client(data: GetUser, client: Client)"
    for decorate in (ACTION, TASK, ROUTE):
        assert refusal(context, decorate).remedy == "move it left of the *: context(context: Context)"
    assert refusal(request, ROUTE).found == "'request' comes from the message, not from the container"


def test_what_stands_in_the_path_is_left_to_the_transport() -> None:
    async def handler(*, user_id: str) -> None: ...

    problem = refusal(handler, USER_ROUTE)
    assert problem.code == "path-mismatch"
    assert problem.remedy.startswith("move 'user_id' left of the *: ")


def test_what_only_other_transports_hand_over_is_told_on_both_sides() -> None:
    async def left(client: Client) -> None: ...
    async def right(*, client: Client) -> None: ...

    for handler in (left, right):
        for decorate, kind in ((ACTION, "an action"), (TASK, "a background task"), (ROUTE, "a route")):
            problem = refusal(handler, decorate)
            assert problem.code == "wrong-part"
            assert problem.remedy.startswith("remove it; `clients: Clients` right of the *")
            assert problem.found == f"{kind} has no Client: only socket handlers have one"


def test_a_method_is_told() -> None:
    class Users:
        def get(self, query: GetUser) -> User: ...

    problem = refusal(Users.get, ACTION)
    assert (problem.code, problem.subject) == ("method-as-handler", "get(self)")
    assert problem.remedy == "move it out of the class"


def test_a_generator_that_nobody_would_iterate_over_is_told() -> None:
    def handler() -> Iterator[int]:
        yield 1

    remedies = {
        ACTION: "write `async def`, to stream what it yields",
        NO_PAYLOAD: "return one value, or make it a StreamAction",
        SOCKET: "write `async def`, to stream what it yields",
        CONNECT: "return one value",
        TASK: "remove the yield; for an object that must be closed, use a providers.Resource",
        ROUTE: "return one value, or a litestar.response.Stream",
    }
    for decorate, remedy in remedies.items():
        problem = refusal(handler, decorate)
        assert (problem.code, problem.remedy) == ("plain-generator", remedy)


def test_a_stream_is_told_where_nothing_is_streamed() -> None:
    async def handler() -> AsyncIterator[int]:
        yield 1

    kinds = {NO_PAYLOAD: "an action", CONNECT: "a connect handler", TASK: "a background task", ROUTE: "a route"}
    for decorate, kind in kinds.items():
        problem = refusal(handler, decorate)
        assert problem.code == "unexpected-stream"
        assert problem.found == f"{kind} cannot be an async generator"


def test_a_thread_is_a_plain_function_that_can_be_stopped() -> None:
    def unstoppable(*, repo: Repo) -> None: ...
    def stoppable(running: Running) -> None: ...
    async def on_loop(running: Running) -> None: ...

    problem = refusal(unstoppable, THREAD)
    assert problem.code == "unstoppable-thread"
    assert problem.found == "it does not take `running: Running`, so it could not be stopped"
    assert problem.remedy == "add `running: Running` left of the *, and return once running() is false"
    assert refusal(on_loop, THREAD).code == "async-thread"
    compiled(stoppable, THREAD)


def test_the_contract_is_shown_beside_what_does_not_fit_it() -> None:
    async def payload(query: User) -> User: ...
    async def reply(query: GetUser) -> GetUser: ...
    async def missing() -> User: ...
    async def stream(query: GetUser) -> AsyncIterator[User]:
        yield User("1")

    for handler, code in (
        (payload, "wrong-payload"),
        (reply, "wrong-reply"),
        (missing, "missing-payload"),
        (stream, "unexpected-stream"),
    ):
        problem = refusal(handler, CONTRACT)
        assert problem.code == code
        assert [(note.text, note.where) for note in problem.notes] == [("the contract", made_at(GET_USER))]
