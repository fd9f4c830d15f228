"""Queues: entries of streams, taken, kept while their handler runs, and ended.

In come entries that a consumer group delivers; out go settled entries, retries and dead letters. A lease says which
instance owns an entry. `daebus.actions` and `daebus.channels` call it.
"""
