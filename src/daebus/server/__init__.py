"""The HTTP server: Granian in our event loop, on a port that we have opened, and WebSocket frames after the handshake.

The input is connections. The output is ASGI calls of the application, with limits in bytes and time for each client.
`daebus.app.running.web` starts the server. Only this package uses Granian.
"""
