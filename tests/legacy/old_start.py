"""Runs old_service.py on ports of the tests: Redis, HTTP and WebSocket."""

import sys

from daebus.modules.pubsub import PubSubBroadcast
from old_service import app
from redis import Redis

redis_port, app.http.port, app.websocket.port = map(int, sys.argv[1:])
app.broadcast = PubSubBroadcast(Redis(port=redis_port))  # its own goes to port 6379, whatever run() is told
app.run(service="users", redis_port=redis_port)
