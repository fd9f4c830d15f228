"""The page's contracts.py: what other services may import. Below the line stands what the page names but leaves out."""

from typing import Annotated

import msgspec

from daebus import Action, Channel, Message, StreamAction


class GetUser(msgspec.Struct):
    id: str


class CreateUser(msgspec.Struct):
    email: Annotated[str, msgspec.Meta(pattern=r".+@.+")]
    name: str = ""


class User(msgspec.Struct):
    id: str
    email: str
    name: str


class UserCreated(msgspec.Struct, tag="user_created"):
    user_id: str


class UserDeleted(msgspec.Struct, tag="user_deleted"):
    user_id: str


# ----------------------------------------------------------------------------------------------------------------------


class DeleteUser(msgspec.Struct):
    id: str


class ImportJob(msgspec.Struct):
    path: str


class ImportStep(msgspec.Struct):
    done: int
    user: User


class OrderPlaced(msgspec.Struct, tag="order_placed"):
    order_id: str


class UserList(msgspec.Struct):
    users: list[User]


DELETE_USER = Action[DeleteUser, None]("delete_user", service="user_service")

# ----------------------------------------------------------------------------------------------------------------------

GET_USER = Action[GetUser, User]("get_user", service="user_service")
IMPORT_USERS = StreamAction[ImportJob, ImportStep]("import_users", service="user_service")
USER_EVENTS = Channel[UserCreated | UserDeleted]("user_events")
ORDERS = Channel[OrderPlaced]("orders", durable=True)
USER_ONLINE = Message[User]("user_online")
