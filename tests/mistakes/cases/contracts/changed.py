"""A contract that is changed after its definition."""

from accounts import GetUser, User
from daebus import Action

# wrong
GET_USER = Action[GetUser, User]("get_user")
# ! registration AttributeError: Action[GetUser, User]('get_user') is immutable: cannot set service
GET_USER.service = "users"
# right
GET_USER = Action[GetUser, User]("get_user", service="users")
