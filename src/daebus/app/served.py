"""What an app serves on the bus and to WebSocket clients, as its servers take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daebus.actions.serving import ServedAction
from daebus.asgi.settings import DaebusWebSocket
from daebus.channels.groups import Listener
from daebus.connection.node import Node
from daebus.telemetry.logs import Logger

from .assembly import Assembly

if TYPE_CHECKING:
    from daebus.websocket.hub import SocketHub

__all__ = ["served_actions", "served_hub", "served_listeners"]


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


def served_hub(made: Assembly, settings: DaebusWebSocket, node: Node, logger: Logger) -> SocketHub:
    """The WebSocket clients of an app, with its handlers."""
    from daebus.websocket.hub import SocketHub, SocketRoutes  # noqa: PLC0415  # it loads Litestar

    plans = made.plans
    connect = plans.sockets.get("")
    routes = SocketRoutes(
        messages={name: plan.endpoint for name, plan in plans.sockets.items() if plan.spec.event == "message"},
        connect=None if connect is None else connect.endpoint,
        disconnect=[plan.endpoint for plan in plans.disconnects],
    )
    return SocketHub(
        settings,
        routes,
        service=made.service,
        node=node,
        logger=logger,
    )
