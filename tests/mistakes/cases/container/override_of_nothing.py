"""A container of test doubles in which a provider name is misspelt."""

from dependency_injector import containers, providers

from accounts import Container, Database, UserRepo
from daebus import Daebus


class Fakes(containers.DeclarativeContainer):
    # wrong
    # ! start-up unknown-override: Fakes.rebo: it overrides nothing: Container has no provider 'rebo'; did you mean 'repo'?
    rebo = providers.Object(UserRepo(Database()))
    # right
    repo = providers.Object(UserRepo(Database()))


container = Container()
# ! mypy daebus-wiring: Fakes.rebo: it overrides nothing: Container has db, limit, mailer, pool, repo, session, blocking_bus, blocking_clients, blocking_rooms, bus, clients, logger and 4 more -> did you mean "repo"?
container.override(Fakes())
app = Daebus("users", container=container)
