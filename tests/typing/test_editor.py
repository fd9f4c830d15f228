"""What an editor shows of the examples: a real language server is asked, as editors ask it, while somebody types."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest

from .lsp import CARET, Caret, Editor, Help, Location, editing

pytestmark = pytest.mark.skipif(find_spec("basedpyright") is None, reason="needs the dependency group `types`")

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "examples" / "users" / "user_service"
USERS = SERVICE / "blueprints" / "users.py"
AUTH = SERVICE / "blueprints" / "auth.py"

FIND = "    user = await repo.find(query.id)\n"
PUBLISH = "    await bus.publish(USER_EVENTS, UserCreated(user.id))\n"
ON_START = "@users.on_start()\n"


@pytest.fixture(scope="module")
def editor() -> Generator[Editor]:
    with editing(ROOT) as editor:
        yield editor


def before(editor: Editor, line: str, typed: str, path: Path = USERS) -> Caret:
    """Type something before a line of a file."""
    start, end = path.read_text().split(line, maxsplit=1)
    return editor.show(path, start + typed + line + end)


def instead(editor: Editor, line: str, typed: str, path: Path = USERS) -> Caret:
    """Type something in the place of a line of a file."""
    start, end = path.read_text().split(line, maxsplit=1)
    return editor.show(path, start + typed + end)


def in_handler(editor: Editor, typed: str) -> Caret:
    """Type something in an action that has a bus: with `user`, a `User`, at hand."""
    return before(editor, PUBLISH, f"    {typed}\n")


def in_test(editor: Editor, typed: str) -> Caret:
    """Type something in a new test of the users service, while it runs."""
    return editor.show(
        ROOT / "examples" / "users" / "test_users.py",
        dedent(
            f"""\
            from app import app
            from user_service.blueprints.users import get_user
            from user_service.contracts import GetUser

            from daebus.testing import running


            async def test_users() -> None:
                async with running(app) as service:
                    {typed}
            """
        ),
    )


def public(names: Sequence[str]) -> list[str]:
    return [name for name in names if not name.startswith("_")]


def helped(caret: Caret) -> Help:
    shown = caret.help()
    assert shown is not None
    return shown


def source(location: Location) -> tuple[str, str, str]:
    """The file, the line and the word in it that a click leads to."""
    path = Path(location.uri.removeprefix("file://"))
    line = path.read_text().splitlines()[location.range.start.line]
    return path.name, line, line[location.range.start.character : location.range.end.character]


# Completion


def test_the_payload_offers_its_fields(editor: Editor) -> None:
    assert public(before(editor, FIND, f"    query.{CARET}\n").completions()) == ["id"]


@pytest.mark.parametrize(
    "call",
    [
        'await bus.call(GET_USER, GetUser("u1"))',
        'await bus.call(get_user, GetUser("u1"))',
        'await get_user(GetUser("u1"), repo=repo)',
    ],
)
def test_the_result_of_a_call_offers_the_fields_of_the_reply(editor: Editor, call: str) -> None:
    caret = in_handler(editor, f"found = {call}; found.{CARET}")
    assert public(caret.completions()) == ["created_at", "email", "id", "name"]


def test_the_items_of_a_stream_offer_their_fields(editor: Editor) -> None:
    caret = in_handler(editor, f"async for step in bus.stream(IMPORT_USERS, ImportJob([])): step.{CARET}")
    assert public(caret.completions()) == ["done", "error", "total", "user_id"]


def test_use_offers_the_providers_of_the_container_before_those_that_it_inherits(editor: Editor) -> None:
    offered = before(editor, ON_START, f"async def other(*, repo: UserRepo = use(Container.{CARET})) -> None: ...\n")
    names = public(offered.completions())
    own = ["activity", "config", "db", "login_limit", "presence", "repo", "session", "sessions", "user"]
    assert names[: len(own)] == own
    assert {"blocking_bus", "blocking_clients", "bus", "clients", "logger", "redis", "threads"} <= set(names)


def test_a_client_offers_what_a_handler_may_do_with_it(editor: Editor) -> None:
    caret = before(editor, "    member = client.state.get(Member)\n", f"    client.{CARET}\n")
    assert public(caret.completions()) == ["close", "headers", "id", "send", "state"]


def test_the_state_of_a_client_offers_what_was_noted(editor: Editor) -> None:
    caret = before(editor, "    member = client.state.get(Member)\n", f"    client.state[Member].{CARET}\n")
    assert public(caret.completions()) == ["id", "session", "until"]


def test_the_bus_offers_its_methods(editor: Editor) -> None:
    assert public(in_handler(editor, f"bus.{CARET}").completions()) == ["call", "publish", "send", "stream", "follow"]


def test_a_running_service_offers_them_too_and_what_tests_need(editor: Editor) -> None:
    offered = public(in_test(editor, f"service.{CARET}").completions())
    assert offered == ["as_user", "bus", "call", "http", "override", "ports", "publish", "send", "socket", "stream"]
    assert {"get", "post"} <= set(in_test(editor, f"service.http.{CARET}").completions())


def test_the_result_of_a_call_in_a_test_offers_the_fields_of_the_reply(editor: Editor) -> None:
    caret = in_test(editor, f'(await service.call(get_user, GetUser("u1"))).{CARET}')
    assert public(caret.completions()) == ["created_at", "email", "id", "name"]


def test_a_blueprint_offers_all_kinds_of_handlers_and_little_else(editor: Editor) -> None:
    offered = public(before(editor, ON_START, f"@users.{CARET}\n").completions())
    kinds = ["action", "background", "listen", "name", "on_start", "on_stop", "route", "services"]
    kinds += ["socket", "socket_connect", "socket_disconnect", "socket_join", "socket_register", "thread"]
    assert sorted(offered) == kinds


def test_words_that_are_options_are_offered(editor: Editor) -> None:
    caret = before(editor, ON_START, f'@users.background("x", 60, scope="{CARET}")\n')
    assert caret.completions() == ['"replica"', '"service"']


# What is shown beside the mouse


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        (
            "get_user",
            "ActionHandler[GetUser, User, (query: GetUser, *, repo: UserRepo), Coroutine[Any, Any, User]]",
        ),
        ("import_users", "StreamHandler[ImportJob, ImportStep, (job: ImportJob, *, repo: UserRepo, session: Session"),
        ("http_get_user", "(user_id: str, *, repo: UserRepo) -> CoroutineType[Any, Any, User]"),
        ("on_user_event", "(event: UserCreated | UserDeleted, *, logger: Logger) -> CoroutineType[Any, Any, None]"),
        ("monitor", "(running: Running, *, activity: Activity, blocking_bus: BlockingBus"),
    ],
)
def test_a_decorated_handler_shows_its_types_and_the_names_of_its_parameters(
    editor: Editor, handler: str, shown: str
) -> None:
    hover = " ".join(in_handler(editor, f"print({CARET}{handler})").hover().split())
    assert shown in hover.replace("( ", "(").replace(" )", ")")


@pytest.mark.parametrize("decorator", ['action("x")', "action(FIND_USER)", 'route("/x")', "background('x', 60)"])
def test_a_decorated_handler_shows_its_docstring(editor: Editor, decorator: str) -> None:
    typed = f"""\
        FIND_USER = Action[None, None]("find_user")

        @users.{decorator}
        async def documented(*, repo: UserRepo) -> None:
            '''Find a user.'''

        print({CARET}documented)

        """
    assert "Find a user." in before(editor, ON_START, dedent(typed)).hover()


def test_a_contract_shows_its_types(editor: Editor) -> None:
    assert "GET_USER: Action[GetUser, User]" in in_handler(editor, f"bus.call(GET_{CARET}USER)").hover()


def test_a_provider_shows_what_it_gives(editor: Editor) -> None:
    typed = f"async def other(*, repo: UserRepo = use(Container.re{CARET}po)) -> None: ...\n"
    assert "repo: Singleton[UserRepo]" in before(editor, ON_START, typed).hover()


# Where a click leads


@pytest.mark.parametrize(
    ("typed", "file", "line", "word"),
    [
        (
            f'await bus.call(get_{CARET}user, GetUser("u1"))',
            "users.py",
            "async def get_user(query: GetUser, *, repo: UserRepo) -> User:",
            "get_user",
        ),
        (
            f'await get_{CARET}user(GetUser("u1"), repo=repo)',
            "users.py",
            "async def get_user(query: GetUser, *, repo: UserRepo) -> User:",
            "get_user",
        ),
        (
            f"await bus.call(GET_{CARET}USER)",
            "contracts.py",
            'GET_USER = Action[GetUser, User]("get_user", service="user_service")',
            "GET_USER",
        ),
        (
            f"use(Container.re{CARET}po)",
            "container.py",
            "    repo = providers.Singleton(UserRepo, db=db)",
            "repo",
        ),
    ],
)
def test_a_click_leads_to_the_source(editor: Editor, typed: str, file: str, line: str, word: str) -> None:
    assert [source(found) for found in in_handler(editor, typed).definitions()] == [(file, line, word)]


def test_a_click_in_a_test_leads_to_the_handler(editor: Editor) -> None:
    [found] = in_test(editor, f'await service.call(get_{CARET}user, GetUser("u1"))').definitions()
    assert source(found)[1:] == ("async def get_user(query: GetUser, *, repo: UserRepo) -> User:", "get_user")


# What is shown above a call


@pytest.mark.parametrize(
    ("typed", "argument"),
    [
        (f"bus.call(GET_USER, {CARET})", "payload: GetUser"),
        (f"bus.call(get_user, {CARET})", "payload: GetUser"),
        (f"bus.send(GET_USER, {CARET})", "payload: GetUser"),
        (f"bus.stream(import_users, {CARET})", "payload: ImportJob"),
        (f"bus.publish(USER_EVENTS, {CARET})", "event: UserCreated | UserDeleted"),
    ],
)
def test_a_call_shows_the_payload_that_is_to_be_typed_next(editor: Editor, typed: str, argument: str) -> None:
    shown = helped(in_handler(editor, typed))
    assert shown.argument == argument
    assert "Unknown" not in shown.signature


def test_a_call_shows_what_comes_back_and_its_documentation(editor: Editor) -> None:
    shown = helped(in_handler(editor, f'bus.call(GET_USER, GetUser("u1"), timeout={CARET})'))
    assert shown.argument == "timeout: float | None = None"
    assert shown.signature.endswith("-> CoroutineType[Any, Any, User]")
    assert "Seconds to wait" in shown.documentation


def test_a_call_in_a_test_shows_the_same(editor: Editor) -> None:
    shown = helped(in_test(editor, f"await service.call(get_user, {CARET})"))
    assert shown.argument == "payload: GetUser"
    assert "Seconds to wait" in shown.documentation


def test_a_message_to_a_client_shows_its_data(editor: Editor) -> None:
    caret = before(editor, "    presence.enter(user, client.id)\n", f"    client.send(USER_ONLINE, {CARET})\n", AUTH)
    assert helped(caret).argument == "data: User"


def test_a_handler_called_as_a_function_shows_its_own_signature(editor: Editor) -> None:
    shown = helped(in_handler(editor, f"await get_user({CARET})"))
    assert shown.signature == "(query: GetUser, *, repo: UserRepo) -> Coroutine[Any, Any, User]"
    assert shown.argument == "query: GetUser"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (f"def read(context: Context) -> None: context.dead{CARET}line\n", "in seconds of `time.monotonic`"),
        (f"def read(client: Client) -> None: client.sta{CARET}te\n", "Data that the handlers store for it."),
        (f"def read(bus: BlockingBus) -> None: bus.ca{CARET}ll\n", "Seconds to wait, limited by the deadline"),
        (f"def read(error: NotFound) -> None: error.sta{CARET}tus\n", "The HTTP status of this error."),
        (f"print(Not{CARET}Found)\n", "HTTP status 404"),
        (f"print(USER_EVENTS.dur{CARET}able)\n", "Whether events are kept until handled."),
        (f"print(Container.log{CARET}ger)\n", "Structured logging"),
    ],
)
def test_attributes_twins_and_errors_are_explained(editor: Editor, typed: str, said: str) -> None:
    assert said in before(editor, ON_START, f"from daebus import Context\n{typed}").hover()


# What is underlined in red


def test_an_example_has_no_mistakes(editor: Editor) -> None:
    assert editor.show(USERS, USERS.read_text()).errors() == []


def test_the_channel_of_a_wrong_event_is_underlined(editor: Editor) -> None:
    typed = "    await bus.publish(USER_EVENTS, user)\n"
    [error] = instead(editor, PUBLISH, typed).errors()
    assert '"UserCreated | UserDeleted" is not the same as "UserCreated | UserDeleted | User"' in error.message
    assert typed[error.range.start.character : error.range.end.character] == "USER_EVENTS"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("await bus.call(GET_USER, 3)", '"GetUser" is not the same as "GetUser | int"'),
        ("await bus.call(get_user, 3)", '"GetUser" is not the same as "GetUser | int"'),
        ('print((await bus.call(GET_USER, GetUser("u1"))).age)', 'Cannot access attribute "age" for class "User"'),
        ('bus.call(GET_USER, GetUser("u1")).name', 'Cannot access attribute "name" for class "CoroutineType'),
        ('await get_user(question=GetUser("u1"), repo=repo)', 'No parameter named "question"'),
    ],
)
def test_a_wrong_call_is_underlined(editor: Editor, typed: str, message: str) -> None:
    assert message in "\n".join(error.message for error in in_handler(editor, typed).errors())


def test_a_handler_keeps_the_names_of_its_parameters(editor: Editor) -> None:
    assert in_handler(editor, 'await get_user(query=GetUser("u1"), repo=repo)').errors() == []


def test_a_wrong_provider_is_underlined(editor: Editor) -> None:
    typed = "async def other(*, repo: UserRepo = use(Container.presence)) -> None: ...\n"
    [error] = before(editor, ON_START, typed).errors()
    assert '"Connections" is not assignable to "UserRepo"' in error.message
