"""Doors of actions: ways in besides the bus. `daebus.app` opens them at registration.

In: HTTP requests, messages of WebSockets. Out: the payload, which goes to the handler of the action.
"""
