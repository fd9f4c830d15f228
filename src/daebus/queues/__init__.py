"""Queues: reading, leasing, retrying and settling the entries of streams.

The input is entries that a consumer group delivers. The output is settled entries, retries and dead letters. A lease
records which instance owns an entry, a reader takes entries, and each entry is a `Work` until it is settled.
`daebus.actions` and `daebus.channels` use this package.
"""
