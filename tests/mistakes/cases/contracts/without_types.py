"""A contract without types."""

from accounts import Created
from daebus import Channel

# wrong
# ! mypy var-annotated: Need type annotation for "EVENTS"
# ! pyright strict reportUnknownVariableType: Type of "EVENTS" is partially unknown
# ! registration untyped-contract: Channel('events'): this Channel has no types, so nothing could be checked or decoded; write them in brackets, such as Channel[Event]('events')
# ! zuban var-annotated
EVENTS = Channel("events")
# right
EVENTS = Channel[Created]("events")
