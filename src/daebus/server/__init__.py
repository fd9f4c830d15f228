"""The HTTP server: Granian in our event loop, on a port that we have opened, and WebSocket frames after the handshake.

In come connections; out go ASGI's calls of the application, with limits in bytes and time for each client.
`daebus.app.web` starts it. Only this house knows Granian.
"""
