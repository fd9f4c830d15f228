"""An action with a payload and no reply in its brackets."""

from accounts import GetUser
from daebus import Action

# wrong
# ! mypy misc: Type application has too few types (2 expected)
# ! pyrefly bad-specialization
# ! pyright reportInvalidTypeArguments: Too few type arguments provided for "Action"; expected 2 but received 1
# ! pyright reportUnknownVariableType: Type of "DELETE_USER" is partially unknown
# ! registration wrong-contract: Action[GetUser]: it has 1 type, and Action takes 2; write Action[In, Out] once
# ! ty invalid-type-arguments
# ! zuban type-arg
DELETE_USER = Action[GetUser]("delete_user")
# right
DELETE_USER = Action[GetUser, None]("delete_user")
