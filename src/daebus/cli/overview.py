"""What an app is made of, in words."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType

from daebus.app.runtime import Assembly
from daebus.core.signatures import MISSING, Signature, show_type
from daebus.core.specs import Spec

__all__ = ["overview"]


def overview(made: Assembly) -> str:
    """The wiring of an app, a line for each handler: what it takes from the message, what from the container."""
    rows = [(spec.title, _message(signature), _services(signature)) for spec, signature in _handlers(made)]
    first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    lines = [f"  {title:<{first}}  {message:<{second}}  {services}".rstrip() for title, message, services in rows]
    count = "1 handler" if len(rows) == 1 else f"{len(rows)} handlers"
    return "\n".join([f"ok: {made.service}, {count}", *lines])


def _handlers(made: Assembly) -> Iterator[tuple[Spec, Signature]]:
    plans = made.plans
    groups = (
        plans.actions.values(),
        plans.served_routes(),
        plans.listeners,
        plans.sockets.values(),
        plans.disconnects,
        plans.background.values(),
        plans.threads.values(),
        plans.lifecycle,
    )
    for group in groups:
        for plan in group:
            yield plan.spec, plan.endpoint.signature


def _message(signature: Signature) -> str:
    taken = ", ".join(str(parameter) for parameter in signature.left)
    if signature.returns in (MISSING, NoneType):
        return f"({taken})"
    return f"({taken}) -> {'stream of ' if signature.streams else ''}{show_type(signature.returns)}"


def _services(signature: Signature) -> str:
    return ", ".join(str(parameter) for parameter in signature.right)
