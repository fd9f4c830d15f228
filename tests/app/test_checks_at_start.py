"""What used to start without a word, or to fail with one that helped nobody."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import msgspec
import pytest
from dependency_injector import providers

import daebus
from daebus import Blueprint, Channel, Daebus, DaebusHttp, PerMessage, ServiceContainer, WiringError
from daebus.errors import StartupError
from daebus.testing import running


class Repo:
    def __init__(self, url: str = "") -> None:
        self.url = url

    def find(self, user_id: str) -> str:
        return user_id

    def save(self, user_id: str) -> None: ...


class Mailer(Protocol):
    def send(self, to: str) -> None: ...


class SmtpMailer:
    def send(self, to: str) -> None: ...


def make_mailer() -> Mailer:
    return SmtpMailer()


class Settings(msgspec.Struct):
    url: str = ""


class Container(ServiceContainer):
    repo = providers.Singleton(Repo)
    mailer = providers.Factory(make_mailer)
    settings = providers.Object(Settings())
    retries = providers.Object(3)


class Event(msgspec.Struct, tag=True):
    id: str


def codes(app: Daebus[Any]) -> list[str]:
    with pytest.raises(WiringError) as caught:
        app.check()
    return [problem.code for problem in caught.value.problems]


def with_handler(container: Any) -> Daebus[Any]:
    app = Daebus("blessed", container=container)

    @app.action("ping")
    async def ping() -> None: ...

    return app


class Partial:
    """A fake that has what its test needs, and no more."""

    def find(self, user_id: str) -> str:
        return "fake"


class Proxy:
    def __getattr__(self, name: str) -> object:
        return name


class Other:
    def entirely_different(self) -> None: ...


class TestOverrides:
    WRONG: ClassVar[list[tuple[str, object, str]]] = [
        ("repo", 3, "has none of its methods"),
        ("repo", object(), "has none of its methods"),
        ("repo", None, "has none of its methods"),
        ("repo", {"find": 1}, "has none of its methods"),
        ("repo", Other(), "has none of its methods"),
        ("repo", Repo, "by the class Repo itself"),
        ("repo", Partial, "by the class Partial itself"),
        ("repo", str, "by the class str itself"),
        ("mailer", "smtp://", "has none of its methods"),
        ("mailer", SmtpMailer, "by the class SmtpMailer itself"),
        ("settings", 1, "has none of its methods"),
        ("retries", "3", "has none of its methods"),
    ]
    RIGHT: ClassVar[list[tuple[str, object]]] = [
        ("repo", Repo("x")),
        ("repo", type("Sub", (Repo,), {})()),
        ("repo", Partial()),
        ("repo", SimpleNamespace(find=str)),
        ("repo", Proxy()),
        ("repo", Mock()),
        ("repo", Mock(spec=Repo)),
        ("repo", MagicMock(spec_set=Other)),
        ("repo", AsyncMock()),
        ("repo", create_autospec(Repo)),
        ("repo", create_autospec(Repo, instance=True)),
        ("mailer", SmtpMailer()),
        ("mailer", Mock(spec=["send"])),
        ("settings", Settings("y")),
        ("settings", SimpleNamespace(url="")),
        ("retries", 5),
        ("retries", True),
    ]

    @pytest.mark.parametrize(("name", "fake", "found"), WRONG)
    async def test_what_surely_is_of_the_wrong_type_is_refused(self, name: str, fake: object, found: str) -> None:
        container = Container()
        app = with_handler(container)
        async with running(app) as service:
            with pytest.raises(WiringError, match=found) as caught, service.override(**{name: fake}):
                pytest.fail("it is not to be taken")
        (problem,) = caught.value.problems
        assert (problem.code, problem.file) == ("wrong-override", str(Path(__file__).relative_to(Path.cwd())))
        with container.providers[name].override(providers.Object(fake)):
            (again,) = self._problems(with_handler(container))
        assert (again.code, again.found) == ("wrong-override", problem.found)
        assert f"Container.{name}" in again.subject

    @pytest.mark.parametrize(("name", "fake"), RIGHT)
    async def test_a_fake_need_not_be_of_the_type(self, name: str, fake: object) -> None:
        container = Container()
        async with running(with_handler(container)) as service:
            with service.override(**{name: fake}):
                assert container.providers[name]() is fake
        with container.providers[name].override(providers.Object(fake)):
            with_handler(container).check()

    async def test_all_wrong_ones_are_told_and_none_is_taken(self) -> None:
        container = Container()
        async with running(with_handler(container)) as service:
            with pytest.raises(WiringError) as caught, service.override(repo=3, retries="x", settings=Settings()):
                pass
            assert len(caught.value.problems) == 2
            assert isinstance(container.repo(), Repo)

    @staticmethod
    def _problems(app: Daebus[Any]) -> Any:
        with pytest.raises(WiringError) as caught:
            app.check()
        return caught.value.problems


async def open_session() -> AsyncIterator[Repo]:
    yield Repo()


class TestContextLocal:
    def test_a_resource_and_a_singleton_are_refused_also_without_a_name(self) -> None:
        class Own(ServiceContainer):
            session = providers.ContextLocalResource(open_session)
            cache = providers.ContextLocalSingleton(Repo)
            nested = providers.Factory(Repo, url=providers.ContextLocalSingleton(str))

        with pytest.raises(WiringError) as caught:
            with_handler(Own()).check()
        found = [(problem.code, problem.subject) for problem in caught.value.problems]
        assert found == [("context-local", f"Own.{name}") for name in ("session", "cache", "nested")]
        assert "write session = PerMessage(open_session, ...)" in caught.value.problems[0].remedy

    def test_what_overrides_one_and_per_message_are_taken(self) -> None:
        class Own(ServiceContainer):
            session = providers.ContextLocalResource(open_session)
            own = PerMessage(open_session)

        container = Own()
        with container.session.override(providers.Object(Repo())):
            with_handler(container).check()


class TestResources:
    @pytest.mark.parametrize("inner", [False, True])
    async def test_one_that_fails_to_open_is_named(self, caplog: pytest.LogCaptureFixture, inner: bool) -> None:
        def open_pool() -> Iterator[Repo]:
            raise OSError("refused")
            yield Repo()

        async def open_store(pool: Repo) -> AsyncIterator[Repo]:
            raise LookupError("no table")
            yield pool

        class Own(ServiceContainer):
            pool: Any = providers.Resource(open_pool) if inner else providers.Singleton(Repo)
            store = providers.Resource(open_store, pool=pool)

        name, function, why = (
            ("pool", "open_pool", "OSError: refused") if inner else ("store", "open_store", "no table")
        )
        with pytest.raises(StartupError, match=why) as caught:
            async with running(with_handler(Own())):
                pass
        line = (open_pool if inner else open_store).__code__.co_firstlineno
        assert f"The resource {name!r} of Own, " in str(caught.value)
        assert f"{function} (tests/app/test_checks_at_start.py:{line})" in str(caught.value)
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert f"resource='{name}'" in record.getMessage()

    async def test_a_class_that_fails_to_open_is_named(self) -> None:
        class Pool:
            def __enter__(self) -> Pool:
                raise OSError("refused")

            def __exit__(self, *_: object) -> None: ...

        class Own(ServiceContainer):
            pool = providers.Resource(Pool)

        with pytest.raises(StartupError, match=r"The resource 'pool' of Own, .*Pool .*OSError: refused"):
            async with running(with_handler(Own())):
                pass


class TestHandlers:
    def test_an_app_without_a_handler_is_refused(self) -> None:
        app = Daebus("empty")
        assert codes(app) == ["no-handlers"]
        app.attach(DaebusHttp(port=0))
        assert codes(app) == ["no-handlers"]

    async def test_a_test_may_run_it_for_its_bus(self) -> None:
        async with running(Daebus("empty")) as service:
            assert service.ports == {}

    def test_what_does_something_by_itself_is_none(self) -> None:
        class Own(ServiceContainer):
            worker = providers.Resource(open_session)

        Daebus("empty", container=Own()).check()
        app = Daebus("empty")
        app.attach(DaebusHttp(port=0, on_startup=[lambda: None]))
        app.check()
        app = Daebus("empty")

        @app.on_start()
        async def start() -> None: ...

        app.check()


USER_EVENTS = Channel[Event]("user_events")
ORDERS = Channel[Event]("orders_placed", durable=True)


def listening(*names: str) -> Daebus:
    app = Daebus("listening")
    for number, name in enumerate(names):

        async def on_event(event: Event) -> None: ...

        on_event.__name__ = f"on_event_{number}"
        app.listen(name)(on_event)
    return app


class TestChannels:
    @pytest.mark.parametrize("name", ["user_evnts", "user_event", "User_event", "usr_events", "order_placed"])
    async def test_one_that_is_misspelt_like_another_is_told_at_the_start(
        self, caplog: pytest.LogCaptureFixture, name: str
    ) -> None:
        app = listening(name)
        (doubt,) = app.check().warnings
        meant = "orders_placed" if "order" in name else "user_events"
        assert f"a similar one is {meant!r}" in doubt.found
        assert doubt.render(word="warning").startswith("warning[misspelt-channel]: ")
        async with running(app):
            pass
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert any("this may be a mistake" in line and meant in line for line in told)

    def test_of_two_strings_one_is_told(self) -> None:
        assert len(listening("payment_events", "payment_evnts").check().warnings) == 1

    @pytest.mark.parametrize(
        "names",
        [("user_events",), ("stock",), ("shard_1", "shard_2"), ("invoices", "prices"), ("news", "new"), ("a", "b")],
    )
    def test_names_that_differ_are_not(self, names: tuple[str, ...]) -> None:
        assert listening(*names).check().warnings == ()

    async def test_a_durable_one_to_which_nobody_has_published_is_logged(
        self, caplog: pytest.LogCaptureFixture, daebus_redis_url: str
    ) -> None:
        def app() -> Daebus:
            orders = Blueprint("orders")

            @orders.listen(ORDERS)
            async def on_order(event: Event) -> None: ...

            service = Daebus("silent")
            service.register_blueprint(orders)
            return service

        caplog.set_level(logging.INFO)
        async with running(app()) as service:
            await service.publish(ORDERS, Event("1"))
        told = [record.getMessage() for record in caplog.records if "no event was published" in record.getMessage()]
        assert len(told) == 1
        assert "orders_placed" in told[0]
        caplog.clear()
        async with running(app()):
            pass
        assert "no event was published" not in caplog.text


class TestHints:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("App", "from daebus import Daebus"),
            ("FastStream", "from daebus import Daebus"),
            ("Router", "from daebus import Blueprint"),
            ("Depends", "from daebus import use"),
            ("NotFound", "from daebus.errors import NotFound"),
            ("Blueprnt", "'Blueprint'"),
        ],
    )
    def test_an_import_of_a_name_that_others_have(self, name: str, meant: str) -> None:
        with pytest.raises(ImportError, match=f"cannot import name '{name}' from 'daebus'; did you mean") as caught:
            exec(f"from daebus import {name}")
        assert meant in str(caught.value)

    def test_an_attribute_that_is_not_there_is_no_import(self) -> None:
        assert not hasattr(daebus, "App")
        assert getattr(daebus, "App", None) is None
        with pytest.raises(AttributeError, match="did you mean 'Channel'"):
            _ = daebus.Chanel  # type: ignore[attr-defined]
        with pytest.raises(ImportError):
            exec("from daebus import nothing_like_it_at_all")
