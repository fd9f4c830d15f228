"""A channel with `service=`: channels belong to no service."""

from accounts import Created
from daebus import Channel

# wrong
# ! mypy call-overload: No overload variant of "Channel" matches argument types "str", "str"
# ! mypy call-overload: Unexpected keyword argument "service" for overloaded function "Channel"
# ! pyrefly no-matching-overload
# ! pyright reportCallIssue: No overloads for "__init__" match the provided arguments
# ! registration TypeError: Channel.__init__() got an unexpected keyword argument 'service'
# ! ty no-matching-overload
# ! zuban call-overload
EVENTS = Channel[Created]("events", service="users")
# right
EVENTS = Channel[Created]("events")
