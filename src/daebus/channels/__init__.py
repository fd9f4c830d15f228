"""Channels: events of the bus, handed to listeners.

Plain events reach every replica by pub/sub. Durable ones lie in a stream, and one replica handles each: a listener has
a consumer group, also after a rename. `daebus.app.runtime` opens it.
"""
