"""The page's container.py. The last two providers are not on it, though its handlers ask for them."""

from dependency_injector import providers

from daebus import PerMessage, ServiceContainer

from .helpers import Outbox, Rooms, Tokens, UserRepo, make_token, open_database, open_session


class Container(ServiceContainer):
    config = providers.Configuration()
    db = providers.Resource(open_database, url=config.db.url)
    repo = providers.Singleton(UserRepo, db=db)
    session = PerMessage(open_session, db=db)
    token = providers.Factory(make_token)
    outbox = providers.Singleton(Outbox, bus=ServiceContainer.bus)

    tokens = providers.Singleton(Tokens)
    presence = providers.Singleton(Rooms)
