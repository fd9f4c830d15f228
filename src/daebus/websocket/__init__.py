"""WebSocket: connections of clients, their messages, and the clients of all replicas.

In come messages with a type; out go answers and pushes, in order and bounded for each client. Handlers get it as the
services `clients` and `blocking_clients`.
"""
