"""What stands right of the ``*`` in the handlers of this service."""

from dependency_injector import providers

from daebus import PerMessage, ServiceContainer
from user_service.presence import Activity, Rooms
from user_service.security import Tokens, make_token
from user_service.store import UserRepo, open_database, open_session


class Container(ServiceContainer):
    config = providers.Configuration()
    config.prefix.from_env("USERS_PREFIX", default="users")
    config.token_seconds.from_env("USERS_TOKEN_SECONDS", default=3600, as_=int)
    config.monitor_seconds.from_env("USERS_MONITOR_SECONDS", default=60.0, as_=float)

    db = providers.Resource(open_database, redis=ServiceContainer.redis, prefix=config.prefix)
    repo = providers.Singleton(UserRepo, db=db)
    session = PerMessage(open_session, db=db)
    tokens = providers.Singleton(
        Tokens, redis=ServiceContainer.redis, prefix=config.prefix, seconds=config.token_seconds
    )
    token = providers.Factory(make_token)
    rooms = providers.Singleton(Rooms)
    activity = providers.Singleton(Activity)
