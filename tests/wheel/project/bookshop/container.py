"""What the handlers need."""

from dependency_injector import providers

from bookshop.store import BookRepo, open_database, open_session
from daebus import PerMessage, ServiceContainer


class Container(ServiceContainer):
    """The services of the bookshop."""

    config = providers.Configuration(default={"url": "memory://"})
    db = providers.Resource(open_database, url=config.url)
    repo = providers.Singleton(BookRepo, db=db, limit=100)
    session = PerMessage(open_session, db=db)
