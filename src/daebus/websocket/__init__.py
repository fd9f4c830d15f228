"""WebSocket: connections of clients, their messages, and the clients of all replicas.

The input is messages with a type. The output is answers and pushes, in order and with a bounded queue for each client.
Handlers use the services `clients` and `blocking_clients`.
"""
