"""What daebus 0.0.31 puts on the wire, as recorded from it. The session ``legacy`` checks that it is still so."""

from __future__ import annotations

__all__ = [
    "CONNECTED",
    "DIRECT_MESSAGE",
    "ERROR",
    "EVENT",
    "FINAL",
    "OUR_SOCKET_ERROR",
    "PROGRESS",
    "REGISTER",
    "REGISTERED",
    "REQUEST",
    "SOCKET_ERROR",
    "SUCCESS",
]

REQUEST = (
    '{"action": "get_user", "payload": {"id": "u1"}, "reply_to": "caller:7f9d2f0e-0f60-4d0c-9c53-3f1f6f6a5a10", '
    '"request_id": "5d0f4c1c-58f1-4a2e-8b39-9b7c9ad4b5c3", "service": "users"}'
)
"""`DaebusCaller("users").send_request("get_user", {"id": "u1"})`."""

DIRECT_MESSAGE = '{"id": "u1", "action": "forget_user"}'
"""`DaebusCaller("users").send_to_service({"id": "u1"}, action="forget_user")`."""

SUCCESS = (
    '{"status": "success", "payload": {"id": "u1", "name": "Ada"}, '
    '"request_id": "5d0f4c1c-58f1-4a2e-8b39-9b7c9ad4b5c3", "final": true}'
)
"""`response.success(...)`."""

ERROR = (
    '{"status": "error", "payload": {"error": "User u9 not found"}, '
    '"request_id": "5d0f4c1c-58f1-4a2e-8b39-9b7c9ad4b5c3", "final": true}'
)
"""`response.error(...)`."""

PROGRESS = (
    '{"status": "success", "payload": {"done": 1}, '
    '"request_id": "5d0f4c1c-58f1-4a2e-8b39-9b7c9ad4b5c3", "final": false}'
)
"""`response.progress(...)`."""

FINAL = (
    '{"status": "success", "payload": {"done": 2}, "request_id": "5d0f4c1c-58f1-4a2e-8b39-9b7c9ad4b5c3", "final": true}'
)
"""`response.success(...)` after that."""

EVENT = '{"type": "user_created", "user_id": "u2"}'
"""`broadcast.send("user_events", {"type": "user_created", "user_id": "u2"})`, and `send_message`."""

REGISTER = '{"type": "register", "data": {"name": "Ada"}}'
CONNECTED = '{"type": "response", "data": {"client_id": "user_6d1f0d7c-7d55-4a2a-8e32-0c9f3d3b8a51"}}'
REGISTERED = '{"type": "response", "data": {"status": "registered", "name": "Ada"}}'
SOCKET_ERROR = '{"type": "error", "error": "No handler found for message type \'get_usres\'"}'
"""What its WebSocket clients send, and get."""

OUR_SOCKET_ERROR = (
    '{"type": "error", "data": {"error": "There is no message type \'get_usres\'; did you mean \'get_users\'?", '
    '"code": "no_such_type"}}'
)
"""What they get from us instead of the last one."""
