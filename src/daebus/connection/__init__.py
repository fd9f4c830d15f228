"""Connections to Redis or Valkey: one server, Sentinels or a cluster.

In come commands and subscriptions; out go replies and messages, and one clear error where the server is away. All
houses of the bus call it. Only this house knows redis-py.
"""
