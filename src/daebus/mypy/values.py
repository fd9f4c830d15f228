"""Arguments of decorators whose values mypy knows: names, schedules, limits."""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import Context

from daebus.declare.options import stray_in
from daebus.declare.schedules import Cron, Interval
from daebus.mypy.edge.doors import check_doors
from daebus.mypy.model.handlers import Handler
from daebus.mypy.model.reading import duration, keyword, number, text
from daebus.mypy.model.reports import VALUE, report

__all__ = ["check_values"]

_NAMED = {"action": "name", "listen": "channel", "socket": "message_type", "background": "name", "thread": "name"}
_WITH_COLONS = ("listen", "socket")
_LIMITS = {
    "retries": "a whole number of at least 0",
    **dict.fromkeys(("timeout", "backoff", "max_backoff", "keep_replies"), "a number of seconds above 0"),
}
_ZONE = "give a name such as 'Europe/Berlin'"
_SECONDS, _FIELDS = "give seconds above 0", "give five fields, such as '0 3 * * *'"


def check_values(handler: Handler) -> None:
    """Report names, schedules and limits that the registration refuses."""
    name, call = handler.decoration.name, handler.call
    named = keyword(call, _NAMED[name], 0) if name in _NAMED else None
    value = text(handler.api, named)
    found = None if value is None else stray_in(value, colons=name in _WITH_COLONS)
    if named is not None and found is not None:
        remedy = f'write @{name}("the_name")' if not value else "write it as one word, such as get_user or get-user"
        report(handler.api, VALUE, named, handler.name, found.replace("'", '"'), remedy)
    if name == "action":
        concurrency = keyword(call, "concurrency")
        limit = number(concurrency)
        if concurrency is not None and limit is not None and limit < 1:
            found = f"concurrency={limit:g}, and it must be at least 1"
            report(handler.api, VALUE, concurrency, handler.name, found, "leave it out for the default")
        check_doors(handler)
        _check_limits(handler)
    elif name == "listen":
        _check_limits(handler)
    elif name == "background":
        _check_schedule(handler)


def _check_limits(handler: Handler) -> None:
    """Report limits of retries and times that are out of range."""
    for option, least in _LIMITS.items():
        given = keyword(handler.call, option)
        limit = number(given)
        if given is not None and limit is not None and (limit < 0 or (limit == 0 and option != "retries")):
            found = f"{option}={limit:g}, which must be {least}"
            report(handler.api, VALUE, given, handler.name, found, "correct it, or leave it out for the default")


def _check_schedule(handler: Handler) -> None:
    call = handler.call
    for option in ("jitter", "catch_up", "pause_after", "history"):
        given = keyword(call, option)
        value = number(given)
        if given is not None and value is not None and value < 0:
            found = f"{option}={value:g}, which must be at least 0"
            report(handler.api, VALUE, given, handler.name, found, "correct it, or leave it out for the default")
    zone = text(handler.api, keyword(call, "zone"))
    if zone is not None:
        _try(handler, lambda: Cron("* * * * *", zone), keyword(call, "zone") or call, _ZONE)
    seconds, every, cron = keyword(call, "seconds", 1), keyword(call, "every"), keyword(call, "cron")
    interval, expression = number(seconds) if every is None else duration(every), text(handler.api, cron)
    if interval is not None:
        _try(handler, lambda: Interval(interval), seconds or every or call, _SECONDS)
    if expression is not None:
        _try(handler, lambda: Cron(expression), cron or call, _FIELDS)


def _try(handler: Handler, make: Callable[[], object], at: Context, remedy: str) -> None:
    try:
        make()
    except ValueError as error:
        found, _, advice = str(error).rstrip(".").partition(": ")
        remedy = advice if advice.startswith("give") else remedy
        report(handler.api, VALUE, at, handler.name, found[:1].lower() + found[1:], remedy)
