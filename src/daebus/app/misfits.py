"""Blueprints that do not fit the app which registers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daebus.errors import WiringError
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note

from .blueprint import Blueprint
from .container import ServiceContainer

__all__ = ["refuse_misfit"]


def refuse_misfit(
    blueprint: Blueprint[Any], container: ServiceContainer, registered: Mapping[str, str], *, place: str, app: str
) -> None:
    """Refuse a blueprint that is registered twice, or needs another container.

    Args:
        blueprint: The blueprint.
        container: The container of the app.
        registered: Where each blueprint was registered that the app has, by its name.
        place: Where this one is registered.
        app: Where the app was made.

    Raises:
        WiringError: It does not fit.
    """
    subject = f"register_blueprint({blueprint.name!r})"
    if blueprint.name in registered:
        earlier = registered[blueprint.name]
        found = f"a blueprint of this name was registered at {earlier}"
        remedy, notes = "register it once, or rename one of the two", [Note("the first one", earlier)]
        raise WiringError(WiringProblem(place, subject, found, remedy, code="duplicate-blueprint", notes=notes))
    owner, wanted = container.declarative_parent, blueprint.services
    if not isinstance(wanted, type):  # pyright: ignore[reportUnnecessaryIsInstance]  # no checker may run
        found = "its services= is no container class, but an object"
        remedy = f"name the class: Blueprint({blueprint.name!r}, services=Container), without brackets behind it"
        raise WiringError(WiringProblem(place, subject, found, remedy, code="wrong-container"))
    if owner is not None and not issubclass(owner, wanted):
        found = f"its handlers need {wanted.__name__}, and the app's container is {owner.__name__}"
        remedy = f"pass container={wanted.__name__}() to Daebus, or a subclass of it"
        notes = [Note("the app", app)]
        raise WiringError(WiringProblem(place, subject, found, remedy, code="wrong-container", notes=notes))
