"""Services: what `use` and the providers give, and which blueprints fit which container."""

from __future__ import annotations

from typing import assert_type

from dependency_injector import providers

from daebus import Blueprint, Bus, Clients, Daebus, Logger, PerMessage, ServiceContainer, Threads, use

from .things import (
    Admin,
    Clock,
    Container,
    Database,
    LargeContainer,
    Session,
    SmallContainer,
    User,
    UserRepo,
    open_session,
    open_transaction,
)

users = Blueprint("users", services=Container)


@users.action("explicit")
async def explicit(
    *,
    repo: UserRepo = use(Container.repo),
    database: Database = use(Container.db),
    cache: dict[str, User] = use(Container.cache),
    session: Session = use(Container.session),
    wider: Session | None = use(Container.transaction),
    limit: int = use(Container.limit),
    port: int = use(Container.config.port.as_int()),
    bus: Bus = use(Container.bus),
    clients: Clients = use(ServiceContainer.clients),
    logger: Logger = use(Container.logger),
    threads: Threads = use(Container.threads),
) -> int:
    return limit + port


assert_type(use(Container.repo), UserRepo)
assert_type(use(Container.db), Database)
assert_type(use(Container.session), Session)
assert_type(use(Container.bus), Bus)
assert_type(use(Container.user), User)
assert_type(use(Container.user.visitor), User | None)
assert_type(use(Container.admin), Admin)


def what_providers_give(container: Container) -> None:
    assert_type(container.repo(), UserRepo)
    assert_type(container.db(), Database)
    assert_type(container.cache(), dict[str, User])
    assert_type(container.session(), Session)
    assert_type(container.transaction(), Session)
    assert_type(PerMessage(open_session, db=container.db), PerMessage[Session])
    assert_type(PerMessage(open_transaction, db=container.db), PerMessage[Session])
    provider: providers.Provider[Session] = container.session
    with container.session.override(Session()):
        assert_type(provider(), Session)


anybody = Blueprint("anybody")


@users.action("all_about_users")
async def all_about_users(
    *,
    user: User = use(Container.user),
    visitor: User | None = use(Container.user),
    admin: User = use(Container.admin),
) -> None: ...


small = Blueprint("small", services=SmallContainer)


@small.action("now")
async def now(*, clock: Clock) -> float:
    return clock.now


@anybody.on_start()
async def hello(*, logger: Logger) -> None: ...


app = Daebus("tests", container=Container())
app.register_blueprint(users)
app.register_blueprint(anybody)

others = Blueprint("others", services=Container)
larger = Daebus("larger", container=LargeContainer())
larger.register_blueprint(others)
larger.register_blueprint(Blueprint("own", services=LargeContainer))
larger.register_blueprint(Blueprint("any"))

smaller = Daebus("smaller", container=SmallContainer())
smaller.register_blueprint(small)

bare = Daebus("bare")
bare.register_blueprint(Blueprint("any"))

assert_type(app.container, Container)
assert_type(bare.container, ServiceContainer)


def a_blueprint_for_less_fits_where_more_is_offered(blueprint: Blueprint[ServiceContainer]) -> None:
    blueprints: list[Blueprint[LargeContainer]] = [blueprint, users]
    blueprints.clear()


@app.action("of_the_app")
async def of_the_app(name: str, *, repo: UserRepo = use(Container.repo)) -> str:
    return f"{name} {repo}"


async def the_app_offers_the_same_decorators(bus: Bus) -> None:
    assert_type(await bus.call(of_the_app, "x"), str)
