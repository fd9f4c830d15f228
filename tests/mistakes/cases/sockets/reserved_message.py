"""A message to clients with the name that is reserved for answers."""

from accounts import User
from daebus import Message

# wrong
# ! registration reserved-name: Message('response'): the name 'response' is reserved for the answers to clients; give the message another name
GREETING = Message[User]("response")
# right
GREETING = Message[User]("greeting")
