"""Queues: entries of streams, taken, kept while their handler runs, and ended.

In come entries that a consumer group delivers; out go settled entries, retries and dead letters. A lease says which
instance owns an entry, a reader takes them, and each one is a `Work` until it ends. `daebus.actions` and
`daebus.channels` call it.
"""
