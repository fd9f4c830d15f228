"""The run of an app: its process, its parts in their order, and its HTTP and WebSocket servers.

What comes in is a checked app (`daebus.app.assembly`); the command line, the tests and ``app.run()`` call it.
"""
