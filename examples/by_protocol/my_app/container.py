"""What stands right of the ``*`` in the handlers of this service."""

from dependency_injector import providers

from daebus import ServiceContainer
from my_app.utils.db import Notes, open_database


class Container(ServiceContainer):
    config = providers.Configuration()
    config.path.from_env("NOTES_DATABASE", default=":memory:")

    db = providers.Resource(open_database, path=config.path)
    notes = providers.Singleton(Notes, db=db)
