"""What stands right of the ``*`` in the handlers of this service."""

from dependency_injector import providers

from daebus import Identity, PerMessage, SecurityScheme, ServiceContainer
from user_service.presence import Activity, Connections
from user_service.security import LoginLimit
from user_service.sessions import expiry_of, find_member, open_sessions
from user_service.store import UserRepo, open_database, open_session


class Container(ServiceContainer):
    config = providers.Configuration()
    config.prefix.from_env("USERS_PREFIX", default="users")
    config.key.from_env("USERS_KEY", default="")
    config.access_seconds.from_env("USERS_ACCESS_SECONDS", default=300, as_=int)
    config.refresh_seconds.from_env("USERS_REFRESH_SECONDS", default=30 * 86_400, as_=int)
    config.login_attempts.from_env("USERS_LOGIN_ATTEMPTS", default=10, as_=int)
    config.monitor_seconds.from_env("USERS_MONITOR_SECONDS", default=60.0, as_=float)

    db = providers.Resource(open_database, redis=ServiceContainer.redis, prefix=config.prefix)
    repo = providers.Singleton(UserRepo, db=db)
    session = PerMessage(open_session, db=db)
    sessions = providers.Resource(
        open_sessions,
        redis=ServiceContainer.redis,
        prefix=config.prefix,
        key=config.key,
        access_seconds=config.access_seconds,
        refresh_seconds=config.refresh_seconds,
    )
    user = Identity(find_member, sessions=sessions, expires=expiry_of, schemes=SecurityScheme.bearer("JWT"))
    login_limit = providers.Singleton(
        LoginLimit, redis=ServiceContainer.redis, prefix=config.prefix, attempts=config.login_attempts, seconds=300
    )
    presence = providers.Singleton(Connections)
    activity = providers.Singleton(Activity)
