"""What stands right of the ``*`` in the handlers of this service."""

from pathlib import Path

from dependency_injector import providers

from chat.accounts import COOKIE, Accounts, find_user
from chat.archive import Archive
from chat.uploads import Uploads
from daebus import Identity, SecurityScheme, ServiceContainer


class Container(ServiceContainer):
    config = providers.Configuration()
    config.prefix.from_env("CHAT_PREFIX", default="chat")
    config.folder.from_env("CHAT_FILES", default="chat_files", as_=Path)  # all replicas share it

    accounts = providers.Singleton(Accounts, redis=ServiceContainer.redis, prefix=config.prefix)
    user = Identity(find_user, accounts=accounts, schemes=SecurityScheme.cookie(COOKIE))
    archive = providers.Singleton(Archive, redis=ServiceContainer.redis, prefix=config.prefix)
    uploads = providers.Singleton(Uploads, folder=config.folder)
