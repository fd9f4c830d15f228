"""What other services may import of this one: its messages, and the contracts that name them."""

from datetime import datetime
from typing import Annotated

import msgspec

from daebus import Action, Channel, Message, Room, StreamAction

Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
Password = Annotated[str, msgspec.Meta(min_length=8, max_length=1024)]


class GetUser(msgspec.Struct):
    id: str


class CreateUser(msgspec.Struct):
    email: Email
    name: str = ""
    password: Password | None = None  # without one, the user cannot log in


class User(msgspec.Struct):
    id: str
    email: str
    name: str
    created_at: datetime


class UserList(msgspec.Struct):
    users: list[User]


class ImportJob(msgspec.Struct):
    users: list[CreateUser]


class ImportStep(msgspec.Struct, omit_defaults=True):
    done: int
    total: int
    user_id: str | None = None
    error: str | None = None


class ActivityReport(msgspec.Struct):
    last_seen: dict[str, datetime]


class Rename(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Login(msgspec.Struct):
    email: Email
    password: Annotated[str, msgspec.Meta(max_length=1024)]


class Refresh(msgspec.Struct):
    refresh_token: str


class TokenPair(msgspec.Struct):
    access_token: str
    refresh_token: str
    expires_in: int  # seconds, of the access token


class Member(msgspec.Struct):
    """Who has sent a message; other services get it with the messages of this one."""

    id: str
    session: str
    until: datetime


class UserCreated(msgspec.Struct, tag="user_created"):
    user_id: str


class UserDeleted(msgspec.Struct, tag="user_deleted"):
    user_id: str


class UserRenamed(msgspec.Struct, tag="user_renamed"):
    user_id: str
    name: str


class SessionEnded(msgspec.Struct, tag="session_ended"):
    session: str


GET_USER = Action[GetUser, User]("get_user", service="user_service")
CREATE_USER = Action[CreateUser, User]("create_user", service="user_service")
IMPORT_USERS = StreamAction[ImportJob, ImportStep]("import_users", service="user_service")
RECORD_ACTIVITY = Action[ActivityReport, None]("record_activity", service="user_service")
LOGIN = Action[Login, TokenPair]("login", service="user_service")
REFRESH = Action[Refresh, TokenPair]("refresh", service="user_service")
LOGOUT = Action[None, None]("logout", service="user_service")
RENAME_ME = Action[Rename, User]("rename_me", service="user_service")

USER_EVENTS = Channel[UserCreated | UserDeleted]("user_events")
SESSION_EVENTS = Channel[SessionEnded]("session_events")
RENAMES = Channel[UserRenamed]("renames", durable=True)

PEOPLE = Room[User]("people")
USER_ONLINE = Message[User]("user_online")
USER_SAVED = Message[User]("user_saved")
