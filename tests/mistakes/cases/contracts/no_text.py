"""A contract whose name is not a string."""

from accounts import User
from daebus import Message

# wrong
# ! mypy arg-type: Argument 1 to "Message" has incompatible type "type[User]"; expected "str"
# ! pyrefly bad-argument-type
# ! pyright reportArgumentType: Argument of type "type[User]" cannot be assigned to parameter "name" of type "str" in function "__init__"
# ! registration wrong-name: Message(<class 'accounts.User'>): the name is <class 'accounts.User'>; write it as one word, such as 'get_user' or 'get-user'
# ! ty invalid-argument-type
# ! zuban arg-type
USER_ONLINE = Message[User](User)
# right
USER_ONLINE = Message[User]("user_online")
