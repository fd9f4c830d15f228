"""What an app serves on the bus, as its servers take it."""

from __future__ import annotations

from daebus.actions.serving import ServedAction
from daebus.channels.groups import Listener

from .assembly import Assembly

__all__ = ["served_actions", "served_listeners"]


def served_actions(made: Assembly) -> list[ServedAction]:
    """The actions of an app."""
    return [
        ServedAction(name, plan.endpoint, made.concurrency(plan.endpoint, plan.spec.concurrency), plan.spec.policy)
        for name, plan in made.plans.actions.items()
    ]


def served_listeners(made: Assembly) -> list[Listener]:
    """The listeners of an app."""
    return [
        Listener(
            plan.spec.channel,
            plan.spec.is_durable,
            plan.spec.name,
            plan.endpoint,
            made.concurrency(plan.endpoint),
            plan.spec.policy,
            plan.spec.kept_as,
        )
        for plan in made.plans.listeners
    ]
