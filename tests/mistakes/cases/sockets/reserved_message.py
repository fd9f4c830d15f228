"""A message to clients with the name under which they get answers."""

from accounts import User
from daebus import Message

# wrong
# ! registration reserved-name: Message('response'): clients get the answers of socket handlers under the name 'response', and could not tell them apart; give the message another name
GREETING = Message[User]("response")
# right
GREETING = Message[User]("greeting")
