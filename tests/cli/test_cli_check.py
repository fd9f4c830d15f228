"""``daebus check``: the same mistakes as at the start, nothing started; without mistakes, the wiring as a tree."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
from pathlib import Path

import msgspec
import pytest
from tests.preloaded import start
from tests.processes import DAEBUS, EXAMPLES, daebus, ran

from daebus.checking.report import Report

NOWHERE = "redis://127.0.0.1:1"

CONTAINER = """\
from collections.abc import AsyncIterator
from dependency_injector import providers
from daebus import (
    Action, Blueprint, Bus, Channel, Daebus, DaebusHttp, Logger, PerMessage, Running, ServiceContainer, use
)

class Db: ...

class Repo:
    def __init__(self, db: Db) -> None: ...

class Fake(Repo): ...

async def open_db(url: str) -> AsyncIterator[Db]:
    yield Db()

async def open_session(repo: Repo) -> AsyncIterator[str]:
    yield ""

class Inner(ServiceContainer):
    size = providers.Object(3)

class Container(ServiceContainer):
    config = providers.Configuration()
    db = providers.Resource(open_db, url=config.db.url)
    repo = providers.Singleton(Repo, providers.Factory(dict, db=db))
    fake = providers.Singleton(Repo, db=db)
    session = PerMessage(open_session, repo)
    inner = providers.Container(Inner)
    untold = providers.Callable(lambda: 3)

"""

GOOD = (
    CONTAINER
    + """\
users = Blueprint("users", services=Container)

@users.action("get")
async def get(user_id: str, *, repo: Repo, storage: Repo = use(Container.fake), logger: Logger) -> str: ...

@users.action("count")
async def count(limit: int, *, session: str) -> AsyncIterator[int]:
    yield 1

@users.thread("watch")
def watch(running: Running, *, every: float = use(Container.config.every.as_float())) -> None: ...

@users.on_start()
async def warm_up(*, size: int = use(Inner.size), untold: int) -> None: ...

app = Daebus("shop", container=Container())
app.register_blueprint(users)
app.container.fake.override(providers.Object(Fake(Db())))
app.container.config.from_dict({"every": 1})
"""
)

PLAIN = """\
ok: shop, 4 handlers
  action get        (user_id: str) -> str
      repo: Singleton of Repo
      storage: Repo, fake: Singleton of Fake, overridden by Object
      logger: Logger
  action count      (limit: int) -> stream of int
      session: PerMessage of str
  thread watch      (running: Running)
      every: float, config.every
  on_start warm_up  ()
      size: int, inner.size: Object of int
      untold: Callable
Container
  repo: Singleton of Repo
      needs db
  fake: Singleton of Fake, overridden by Object
      needs db
  session: PerMessage of str
      needs repo
  inner.size: Object of int
  untold: Callable
  db: async Resource of Db
      needs config.db.url
"""

BAD = (
    CONTAINER
    + """\
first, second = Blueprint("first", services=Container), Blueprint("second")

@first.action("get")
async def get(user_id: str, *, reppo: Repo) -> str: ...

@second.listen(Channel[int]("numbers"))
async def on_number(
    event: int,
    other: str,
) -> None: ...

@second.route("/a/<x>")
async def a(x: int) -> str: ...

@second.route("/a/<y>")
async def b(y: int) -> str: ...

app = Daebus(__name__, container=Container())
app.attach(DaebusHttp())
app.register_blueprint(first)
app.register_blueprint(second)

@app.action(Action[None, None]("own", service="shop"))
async def own(*, bus: Bus) -> None: ...
"""
)

TOLD = """\
Error: 3 wiring mistakes:

error[unknown-service]: get(reppo: Repo): Container has no provider 'reppo'
  --> bad.py:35:32
   |
35 | async def get(user_id: str, *, reppo: Repo) -> str: ...
   |                                ^^^^^^^^^^^
   |
   = note: Container has config: dict, db: Db, fake: Repo, inner, repo: Repo, session: str, untold,
           blocking_bus: BlockingBus, blocking_clients: BlockingClients, blocking_rooms: BlockingRooms,
           bus: Bus, clients: Clients, logger: Logger, redis: Redis, redis_cluster: RedisCluster,
           rooms: Rooms, threads: Threads
   = help: did you mean 'repo'?

error[second-payload]: on_number(other: str): a listener takes one payload, and 'event' is already the payload
  --> bad.py:40:5
   |
38 | async def on_number(
   | ...
40 |     other: str,
   |     ^^^^^^^^^^
   |
   = help: put a bare * before 'other' if it is a service, or make one msgspec.Struct of both

error[service-not-named]: Daebus('bad'): the contract of its action belongs to the service 'shop', and the name \
of this service is not set
  --> bad.py:49:7
   |
49 | app = Daebus(__name__, container=Container())
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  ::: bad.py:54:2
   |
54 | @app.action(Action[None, None]("own", service="shop"))
   |  ----------------------------------------------------- such as action own
   |
   = help: run it with --service shop, call app.run(service="shop"), or write Daebus(..., service="shop")
"""


def run(folder: Path, *arguments: str, redis_url: str = NOWHERE) -> subprocess.CompletedProcess[str]:
    return ran(*DAEBUS, *arguments, cwd=folder, environment={"DAEBUS_REDIS_URL": redis_url})


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "check", *arguments)


def test_the_wiring_is_shown_as_a_tree(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    done = check(tmp_path, "good")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", PLAIN)


def test_on_a_terminal_the_tree_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    drawn = in_terminal(tmp_path, "good")
    assert drawn.startswith(
        "ok: shop, 4 handlers\n"
        "├─ action get        (user_id: str) -> str\n"
        "│  ├─ repo: Singleton of Repo\n"
        "│  ├─ storage: Repo, fake: Singleton of Fake, overridden by Object\n"
        "│  └─ logger: Logger\n"
    )
    assert drawn.endswith("└─ db: async Resource of Db\n   └─ needs config.db.url\n")


def in_terminal(folder: Path, *arguments: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        with os.fdopen(theirs, "wb", buffering=0) as terminal:
            process = start(
                [*DAEBUS, "check", *arguments],
                cwd=folder,
                stdout=terminal,
                stderr=terminal,
                environment={**environment, "TERM": "xterm", "DAEBUS_REDIS_URL": NOWHERE},
            )
        written = bytearray()
        try:
            while some := os.read(ours, 65536):
                written += some
        except OSError:  # so ends a terminal on Linux
            pass
        process.wait(30)
    finally:
        os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_all_mistakes_of_the_app_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    done = check(tmp_path, "bad")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == TOLD


def test_on_a_terminal_mistakes_are_coloured(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    assert "\x1b[1;31merror[unknown-service]\x1b[0m" in in_terminal(tmp_path, "bad")


def test_the_same_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    done = run(tmp_path, "run", "bad", "--port=0")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", TOLD)


def test_what_litestar_says_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    report = msgspec.json.decode(check(tmp_path, "bad", "--service=shop", "--json").stdout, type=Report)
    assert [problem.code for problem in report.problems] == ["unknown-service", "second-payload"]
    (tmp_path / "bad.py").write_text(BAD.replace("other: str,", "").replace("reppo", "repo"))
    done = check(tmp_path, "bad", "--service=shop", "--json")
    (problem,) = msgspec.json.decode(done.stdout, type=Report).problems
    assert (done.returncode, problem.code, problem.line) == (1, "same-route", 46)


def test_json_for_tools(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    done = check(tmp_path, "good", "--json", "--service=checked")
    assert (done.returncode, done.stderr) == (0, "")
    report = msgspec.json.decode(done.stdout, type=Report)
    assert report.ok
    assert report.wiring is not None
    assert (report.wiring.service, report.wiring.container) == ("checked", "Container")
    handler = report.wiring.handlers[0]
    assert (handler.title, handler.function, handler.where, handler.blueprint) == (
        "action get",
        "get",
        "good.py:34",
        "users",
    )
    assert (handler.takes, handler.returns, handler.streams) == (["user_id: str"], "str", False)
    assert [(service.name, service.type, service.provider) for service in handler.services] == [
        ("repo", "Repo", "repo"),
        ("storage", "Repo", "fake"),
        ("logger", "Logger", "logger"),
    ]
    providers = {provider.name: provider for provider in report.wiring.providers}
    assert (providers["fake"].kind, providers["fake"].gives, providers["fake"].overridden_by) == (
        "Singleton",
        "Fake",
        "Object",
    )
    assert (providers["db"].on_loop, providers["db"].needs) == (True, ["config.db.url"])
    assert (providers["logger"].built_in, providers["repo"].built_in) == (True, False)

    done = check(tmp_path, "bad", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    report = msgspec.json.decode(done.stdout, type=Report)
    assert not report.ok
    assert report.wiring is not None
    functions = [handler.function for handler in report.wiring.handlers]
    assert "get" not in functions  # it has a mistake of its own
    assert {"own", "b"} <= {*functions}
    assert [provider.name for provider in report.wiring.providers] == ["bus"]
    problem = report.problems[0]
    assert (problem.file, problem.line, problem.column, problem.end_line, problem.end_column) == (
        "bad.py",
        35,
        32,
        35,
        43,
    )
    assert (problem.code, problem.message, problem.remedy) == (
        "unknown-service",
        "get(reppo: Repo): Container has no provider 'reppo'",
        "did you mean 'repo'?",
    )
    note = report.problems[-1].notes[0]
    assert (note.text, note.file, note.line) == ("such as action own", "bad.py", 54)


def test_json_of_other_failures(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("from daebus import Daebus\nraise ValueError('no')\n")
    (tmp_path / "nameless.py").write_text("from daebus import Daebus\napp = Daebus('__main__')\n")
    (tmp_path / "unfinished.py").write_text("from daebus import Daebus\napp = Daebus(\n")
    for target, code, line, said in (
        ("failing", "start-up", 2, "ValueError: no"),
        ("unfinished", "start-up", 2, "was never closed"),
        ("nameless", "configuration", None, "has no name"),
    ):
        done = check(tmp_path, target, "--json")
        assert (done.returncode, done.stderr) == (1, "")
        (problem,) = msgspec.json.decode(done.stdout, type=Report).problems
        file = None if line is None else f"{target}.py"
        assert (problem.code, problem.file, problem.line, problem.remedy) == (code, file, line, None)
        assert said in problem.message
    missing = check(tmp_path, "missing", "--json")
    assert (missing.returncode, missing.stdout) == (2, "")


async def test_the_examples_have_no_mistakes() -> None:
    targets = (
        (f"{EXAMPLES}/users/app.py", "user_service"),
        (f"{EXAMPLES}/by_protocol/my_app/app.py", "notes"),
        (f"{EXAMPLES}/orders/shop/app.py", "shop"),
        (f"{EXAMPLES}/orders/warehouse/app.py", "warehouse"),
    )
    outcomes = await asyncio.gather(
        *(daebus("check", target, f"--service={service}", redis_url=NOWHERE) for target, service in targets)
    )
    assert [(outcome.code, outcome.errors) for outcome in outcomes] == [(0, "")] * len(targets)


async def test_a_channel_that_is_misspelt_like_another_is_a_warning(tmp_path: Path) -> None:
    code = (
        "from daebus import Channel, Daebus\n"
        'app = Daebus("users")\n'
        'EVENTS = Channel[int]("user_events")\n'
        '@app.listen("user_evnts")\n'
        "async def on_event(event: int) -> None: ...\n"
    )
    (tmp_path / "app.py").write_text(code)
    outcome = await daebus("check", f"{tmp_path}/app.py:app", redis_url=NOWHERE)
    assert outcome.code == 0, outcome.errors
    assert "warning[misspelt-channel]" in outcome.errors
    assert "a similar one is 'user_events'" in outcome.errors
    outcome = await daebus("check", f"{tmp_path}/app.py:app", "--json", redis_url=NOWHERE)
    report = msgspec.json.decode(outcome.output, type=Report)
    assert [warning.code for warning in report.warnings] == ["misspelt-channel"]


async def test_an_app_without_a_handler_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text('from daebus import Daebus\napp = Daebus("users")\n')
    outcome = await daebus("check", f"{tmp_path}/app.py:app", redis_url=NOWHERE)
    assert outcome.code == 1
    assert "error[no-handlers]" in outcome.errors
    assert "register a blueprint" in outcome.errors


async def test_an_app_whose_only_handler_was_refused_has_one_mistake(tmp_path: Path) -> None:
    code = 'from daebus import Daebus\napp = Daebus("users")\n@app.action("t", http="/t")\nasync def t() -> None: ...\n'
    (tmp_path / "app.py").write_text(code)
    outcome = await daebus("check", f"{tmp_path}/app.py:app", redis_url=NOWHERE)
    assert outcome.code == 1
    assert "error[malformed-path]" in outcome.errors
    assert "no-handlers" not in outcome.errors


def test_inside_of_a_package_it_says_how_to_start_it(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("NAME = 'shop'\n")
    (package / "app.py").write_text(
        "from daebus import Daebus\nfrom .parts import NAME\napp = Daebus(NAME)\n"
        "@app.action('ping')\nasync def ping() -> None: ...\n"
    )

    def check(target: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return ran(*DAEBUS, "check", target, cwd=folder)

    refused = check("app:app", package)
    assert refused.returncode == 2
    assert f"write app.py:app, or start it from {tmp_path}, as shop.app:app" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert check("app.py:app", package).returncode == 0
    assert check("shop.app:app", tmp_path).returncode == 0


def test_a_name_of_another_framework_is_told_with_what_it_is_here(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from daebus import App\napp = App()\n")
    outcome = ran(*DAEBUS, "check", "app:app", cwd=tmp_path)
    assert outcome.returncode == 1
    assert "cannot import name 'App' from 'daebus'; did you mean `from daebus import Daebus`?" in outcome.stderr


AROUND = """\
from contextlib import asynccontextmanager
from daebus import Channel, Daebus

def timing(endpoint, handle):
    return handle

class Retries:
    def outgoing(self, forward):
        return forward

class Port:
    @asynccontextmanager
    async def serving(self, run):
        yield

app = Daebus("shop", interceptors=[timing, Retries()])
app.attach(Port())

@app.action("get", timeout=2.5)
async def get(user_id: str) -> str: ...

@app.background("sweep", 60, timeout=30)
async def sweep() -> None: ...

@app.listen(Channel[str]("orders"))
async def on_order(event: str) -> None: ...
"""


def test_interceptors_components_and_timeouts_are_shown(tmp_path: Path) -> None:
    (tmp_path / "around.py").write_text(AROUND)
    done = check(tmp_path, "around")
    assert (done.returncode, done.stderr, done.stdout) == (
        0,
        "",
        "ok: shop, 3 handlers\n"
        "  action get        (user_id: str) -> str\n"
        "      timeout: 2.5 s\n"
        "      interceptors: timing\n"
        "  listen orders     (event: str)\n"
        "      interceptors: timing\n"
        "  background sweep  ()\n"
        "      timeout: 30 s\n"
        "      interceptors: timing\n"
        "components\n"
        "  Port  around.py:17\n"
        "interceptors of what it sends\n"
        "  Retries\n",
    )
    wiring = msgspec.json.decode(check(tmp_path, "around", "--json").stdout, type=Report).wiring
    assert wiring is not None
    handler = wiring.handlers[0]
    assert (handler.title, handler.timeout, handler.interceptors) == ("action get", 2.5, ["timing"])
    assert [(one.name, one.where) for one in wiring.components] == [("Port", "around.py:17")]
    assert wiring.interceptors == ["Retries"]


@pytest.mark.parametrize(
    ("body", "line", "told"),
    [
        ("    pass", 4, "interceptor timing: for action get it returned None, which cannot be called with a message"),
        (
            "    raise LookupError('no tenant')",
            4,
            "interceptor timing: for action get it raised LookupError: no tenant (around.py:5)",
        ),
    ],
)
def test_an_interceptor_that_fails_when_it_is_called_is_told_as_at_the_start(
    tmp_path: Path, daebus_redis_url: str, body: str, line: int, told: str
) -> None:
    (tmp_path / "around.py").write_text(AROUND.replace("    return handle", body))
    done = check(tmp_path, "around", "--json")
    (problem,) = msgspec.json.decode(done.stdout, type=Report).problems
    assert (problem.code, problem.file, problem.line, problem.message) == (
        "wrong-interceptor",
        "around.py",
        line,
        told,
    )
    for told_by in (check(tmp_path, "around"), run(tmp_path, "run", "around", "--port=0", redis_url=daebus_redis_url)):
        assert told_by.returncode == 1
        assert told.partition(" it ")[2] in told_by.stderr
        assert "Traceback" not in told_by.stderr
