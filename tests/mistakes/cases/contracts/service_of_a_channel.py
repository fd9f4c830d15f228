"""A channel with `service=`: channels belong to no service."""

from accounts import Created
from daebus import Channel

# wrong
# ! mypy call-arg: Unexpected keyword argument "service" for "Channel"
# ! pyrefly unexpected-keyword
# ! pyright reportCallIssue: No parameter named "service"
# ! registration TypeError: Channel.__init__() got an unexpected keyword argument 'service'
# ! ty unknown-argument
# ! zuban call-arg
EVENTS = Channel[Created]("events", service="users")
# right
EVENTS = Channel[Created]("events")
