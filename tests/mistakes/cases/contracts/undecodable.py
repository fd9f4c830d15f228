"""A contract whose payload cannot be decoded from JSON."""

from accounts import Database, GetUser, User
from daebus import Action

# wrong
# ! mypy type-var: Value of type variable "In" of "Action" cannot be "Database"
# ! pyrefly bad-specialization
# ! pyright reportInvalidTypeArguments: Type "Database" cannot be assigned to type variable "In@Action"
# ! registration undecodable: Action('get_user'): it cannot go over the wire as JSON: Database has no JSON form; use a msgspec.Struct, a dataclass, or what msgspec supports
# ! ty invalid-type-arguments
# ! zuban type-var
GET_USER = Action[Database, User]("get_user")
# right
GET_USER = Action[GetUser, User]("get_user")
