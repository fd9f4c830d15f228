"""Channels: delivering events of the bus to listeners.

Plain events reach every replica by pub/sub. Durable events are kept in a stream, and one replica handles each of them.
A listener has a consumer group, and keeps it after a rename. `daebus.app.running.runtime` opens the package.
"""
