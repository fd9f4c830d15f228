"""A contract that is changed after its definition."""

from accounts import GetUser, User
from daebus import Action

# wrong
GET_USER = Action[GetUser, User]("get_user")
# ! mypy misc: Property "service" defined in "Contract" is read-only
# ! pyrefly read-only
# ! pyright reportAttributeAccessIssue: Cannot assign to attribute "service" for class "Action[GetUser, User]"
# ! registration AttributeError: Action[GetUser, User]('get_user') is immutable: cannot set service
# ! ty invalid-assignment
# ! zuban misc
GET_USER.service = "users"
# right
GET_USER = Action[GetUser, User]("get_user", service="users")
