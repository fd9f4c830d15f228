"""A container of fakes, in which a name is misspelt."""

from dependency_injector import containers, providers

from daebus import Daebus
from shop import Container, Database, UserRepo


class Fakes(containers.DeclarativeContainer):
    # wrong
    # ! start-up unknown-override: Fakes.rebo: it overrides nothing: Container has no provider 'rebo'; did you mean 'repo'?
    rebo = providers.Object(UserRepo(Database()))
    # right
    repo = providers.Object(UserRepo(Database()))


container = Container()
container.override(Fakes())
app = Daebus("users", container=container)
