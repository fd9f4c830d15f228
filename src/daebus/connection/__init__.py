"""Connections to Redis or Valkey: one server, Sentinels or a cluster.

The input is commands and subscriptions. The output is replies and messages, and one clear error while the server is
away. All packages of the bus use this package; only this package uses redis-py.
"""
