"""A type of a contract that is written as a string."""

from accounts import GetUser, User
from daebus import Action

# wrong
# ! pyrefly not-a-type
# ! registration wrong-contract: Action['GetUser']: the type is a string, which cannot be resolved here; write the type itself, below its definition
GET_USER = Action["GetUser", User]("get_user")
# right
GET_USER = Action[GetUser, User]("get_user")
