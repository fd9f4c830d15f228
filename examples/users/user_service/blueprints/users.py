"""Users: over the bus, over HTTP, over WebSockets, and what is done about them in the background."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from daebus import BlockingBus, Blueprint, Bus, Client, Logger, Rooms, Running, use
from daebus.errors import Conflict, NotFound
from user_service.container import Container
from user_service.contracts import (
    CREATE_USER,
    GET_USER,
    IMPORT_USERS,
    PEOPLE,
    RECORD_ACTIVITY,
    RENAME_ME,
    RENAMES,
    USER_EVENTS,
    USER_SAVED,
    ActivityReport,
    CreateUser,
    GetUser,
    ImportJob,
    ImportStep,
    Member,
    Rename,
    User,
    UserCreated,
    UserDeleted,
    UserList,
    UserRenamed,
)
from user_service.presence import Activity, Connections
from user_service.store import Session, UserRepo

INACTIVE_AFTER = timedelta(days=30)

users = Blueprint("users", services=Container)


# Actions


@users.action(GET_USER)
async def get_user(query: GetUser, *, repo: UserRepo) -> User:
    user = await repo.find(query.id)
    if user is None:
        raise NotFound(f"User {query.id} not found")
    return user


@users.action(CREATE_USER)
async def create_user(data: CreateUser, *, repo: UserRepo, session: Session, bus: Bus, rooms: Rooms) -> User:
    user = await repo.add(data)
    session.note(f"created {user.id}")
    await bus.publish(USER_EVENTS, UserCreated(user.id))
    await rooms.send(PEOPLE(), USER_SAVED, user)
    return user


@users.action(IMPORT_USERS)
async def import_users(
    job: ImportJob, *, repo: UserRepo, session: Session, bus: Bus, rooms: Rooms
) -> AsyncIterator[ImportStep]:
    total = len(job.users)
    for done, data in enumerate(job.users, start=1):
        try:
            user = await create_user(data, repo=repo, session=session, bus=bus, rooms=rooms)
        except Conflict as error:
            yield ImportStep(done, total, error=error.message)
        else:
            yield ImportStep(done, total, user_id=user.id)


@users.action(RENAME_ME)
async def rename_me(data: Rename, *, user: Member, repo: UserRepo, bus: Bus, rooms: Rooms) -> User:
    account = await repo.rename(user.id, data.name)
    await bus.publish(RENAMES, UserRenamed(user.id, data.name))
    await rooms.send(PEOPLE(), USER_SAVED, account)
    return account


@users.action(RECORD_ACTIVITY)
async def record_activity(report: ActivityReport, *, repo: UserRepo) -> None:
    await repo.mark_active(report.last_seen)


# HTTP


@users.route("/api/users")
async def http_list_users(*, repo: UserRepo) -> UserList:
    return UserList(await repo.all())


@users.route("/api/users/<user_id>", raises=[NotFound])
async def http_get_user(user_id: str, *, repo: UserRepo) -> User:
    return await get_user(GetUser(user_id), repo=repo)


@users.route("/api/users", methods=["POST"], status_code=201, raises=[Conflict])
async def http_create_user(data: CreateUser, *, repo: UserRepo, session: Session, bus: Bus, rooms: Rooms) -> User:
    return await create_user(data, repo=repo, session=session, bus=bus, rooms=rooms)


@users.route("/api/me", raises=[NotFound])
async def http_get_me(*, user: Member, repo: UserRepo) -> User:
    return await get_user(GetUser(user.id), repo=repo)


@users.route("/api/me", methods=["PATCH"], raises=[NotFound])
async def http_rename_me(data: Rename, *, user: Member, repo: UserRepo, bus: Bus, rooms: Rooms) -> User:
    return await rename_me(data, user=user, repo=repo, bus=bus, rooms=rooms)


# WebSockets


@users.socket("get_users")
async def ws_get_users(data: None, *, user: Member | None, repo: UserRepo, activity: Activity) -> UserList:
    if user is not None:
        activity.saw(user.id)
    return UserList(await repo.all())


@users.socket("rename_me")
async def ws_rename_me(data: Rename, *, user: Member, repo: UserRepo, bus: Bus, rooms: Rooms) -> User:
    return await rename_me(data, user=user, repo=repo, bus=bus, rooms=rooms)


@users.socket_disconnect()
async def on_disconnect(client: Client, *, presence: Connections, logger: Logger) -> None:
    member = client.state.get(Member)
    if member is not None and presence.leave(member, client.id):
        logger.info("user went offline", user_id=member.id)


# Events


@users.listen(USER_EVENTS)
async def on_user_event(event: UserCreated | UserDeleted, *, logger: Logger) -> None:
    match event:
        case UserCreated(user_id):
            logger.info("user was created", user_id=user_id)
        case UserDeleted(user_id):
            logger.info("user was deleted", user_id=user_id)


@users.listen(RENAMES)
async def on_renamed(event: UserRenamed, *, user: Member, session: Session) -> None:
    session.note(f"{user.id} renamed {event.user_id}")


# In the background


@users.background("user_cleanup", 3600)
async def cleanup(*, repo: UserRepo, session: Session, bus: Bus, logger: Logger) -> None:
    gone = await repo.remove_inactive(since=datetime.now(UTC) - INACTIVE_AFTER)
    for user_id in gone:
        session.note(f"deleted {user_id}")
        await bus.publish(USER_EVENTS, UserDeleted(user_id))
    logger.info("inactive users cleaned up", count=len(gone))


@users.thread("user_activity_monitor", restart=True)
def monitor(
    running: Running,
    *,
    activity: Activity,
    blocking_bus: BlockingBus,
    every: float = use(Container.config.monitor_seconds),
) -> None:
    while running.wait(every):
        last_seen = activity.take()
        if last_seen:
            blocking_bus.send(RECORD_ACTIVITY, ActivityReport(last_seen))


@users.on_start()
async def warm_up(*, repo: UserRepo, logger: Logger) -> None:
    logger.info("user store ready", users=len(await repo.all()))


@users.on_stop()
async def flush(*, repo: UserRepo, activity: Activity) -> None:
    await repo.mark_active(activity.take())
