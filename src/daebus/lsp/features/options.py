"""The options of the decorators, with their meaning."""

from __future__ import annotations

from collections.abc import Mapping

from daebus.declare.paths import RouteOptions

__all__ = ["OPTIONS"]

_REQUIRES = "Functions of the user and the message; each must return True, else the sender gets `Forbidden`."
_TIMEOUT = "Seconds that one run may take; default: no limit."
_RETRIES = {
    "timeout": _TIMEOUT,
    "retries": "How often a message is redelivered after the first failure; default 5.",
    "backoff": "Maximum delay in seconds before the first retry; it doubles with each further retry; default 1.",
    "max_backoff": "Upper limit of the delay in seconds; default 3600.",
}
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "action": {
        **_RETRIES,
        "requires": _REQUIRES,
        "concurrency": "How many requests one process handles at once; default: `max_concurrency` of the app.",
        "keep_replies": "Seconds for which the reply to a request with an idempotency key is kept; default: a day.",
        "status_code": "The status of a success of its route; default: 200, or 204 if the handler returns nothing.",
        "raises": "The errors of its route in OpenAPI; default: none.",
        "tags": "The tags of its route in OpenAPI; default: the name of the blueprint.",
        "event_id": "The field of the items that is the id of each server-sent event; default: none.",
        "resume": "The field of the payload that gets the id of the last event, if a client comes back; default: none.",
        "http": 'Opens the action as a route, such as `"GET /users/<id>"`; default: none.',
        "socket": "Opens the action as WebSocket messages of this type, also one that streams; default: none.",
        "sse": 'Opens an action that streams as server-sent events, such as `"GET /import"`; default: none.',
        "tool": "Whether assistants may call it, by the Model Context Protocol; default: no.",
    },
    "listen": {
        **_RETRIES,
        "requires": _REQUIRES,
        "name": "The name of the listener of a durable channel; default: blueprint and function.",
        "start": "Where a new listener of a durable channel starts: `earliest` or `latest`.",
        "renamed_from": "The previous name of the listener, whose position it takes over.",
    },
    "route": {
        "methods": 'HTTP methods; default: `("GET",)`.',
        "status_code": "The status of a success; default: 200, or 204 if the handler returns nothing.",
        "timeout": "Seconds after which the handler is cancelled and the client gets 504; default: no limit.",
        "requires": _REQUIRES,
        **dict.fromkeys(RouteOptions.__annotations__, "As in Litestar's route handlers."),
    },
    "socket": {"timeout": _TIMEOUT, "requires": _REQUIRES},
    "socket_register": {"timeout": _TIMEOUT, "requires": _REQUIRES},
    "socket_connect": {"timeout": _TIMEOUT, "requires": _REQUIRES},
    "socket_join": {"timeout": _TIMEOUT, "requires": _REQUIRES},
    "socket_disconnect": {"timeout": _TIMEOUT},
    "background": {
        "seconds": "The interval in seconds.",
        "every": "The interval, as a `timedelta`.",
        "cron": "A cron expression of five fields.",
        "zone": "The time zone of the cron expression, such as `Europe/Berlin`; default: UTC.",
        "jitter": "Upper limit in seconds of the delay of each run; default 0.",
        "overlap": "A run due during another one: `wait`, the default, `skip` it, or `cancel` the other one.",
        "catch_up": "With cron: how many seconds ago a missed run may lie and is made up; default: they become one.",
        "pause_after": "After how many failures in a row the schedule is paused; default: never.",
        "history": "How many runs are kept; default 100.",
        "scope": "`service`, the default: on one replica at a time; `replica`: on each.",
        "timeout": _TIMEOUT,
    },
    "thread": {
        "auto_start": "Whether it starts with the service; default: True.",
        "restart": "Whether it is restarted, with backoff, after a failure; default: False.",
        "timeout": "Seconds after which its switch is turned off; default: it runs until it is stopped.",
    },
    "on_start": {"timeout": _TIMEOUT},
    "on_stop": {"timeout": _TIMEOUT},
}
"""For each decorator its options; a test compares them with the decorators."""
