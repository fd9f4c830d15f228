"""Groups of WebSocket clients over all replicas: their messages, their members, and what a client has missed.

The input are joins of clients, and messages that handlers send to a room. The output are texts for the connections of
the members at this replica. `daebus.websocket` lets its clients in; handlers send by `Rooms`.
"""
