"""What a handler needs of the sender of a message: whether a user, and by which security schemes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from dependency_injector import providers

from daebus.delivery.endpoint import Endpoint

from .provider import Identity, Visitor
from .schemes import BEARER, SecurityScheme

__all__ = ["UserNeeds", "user_needs"]


class UserNeeds:
    """What a handler needs of the sender of a message.

    Args:
        needed: The providers of its services.

    Attributes:
        refuses_strangers: Whether it does; None: it does not ask for a user at all.
        has_schemes: Whether one of its identities names its security schemes.
        forwards: Whether it accepts the user of a message of another service.
        schemes: The security schemes of its identities.
        alternatives: The schemes that a message has to have, one of these sets of them; an empty set: none.
    """

    def __init__(self, needed: Iterable[providers.Provider[object]]) -> None:
        found = [one for provider in needed for one in (provider, *provider.traverse())]
        required = [one.visitor for one in found if isinstance(one, Identity)]
        visitors = [one for one in found if isinstance(one, Visitor)]
        self.refuses_strangers: bool | None = True if required else False if visitors else None
        asked = list(dict.fromkeys([*required, *visitors]))
        self.has_schemes: bool = any(one.rules.schemes for one in asked)
        self.forwards: bool = any(one.rules.forward for one in asked)
        self.schemes: Sequence[SecurityScheme] = list(dict.fromkeys(each for one in asked for each in _schemes(one)))
        sets = product(*(_schemes(one) for one in dict.fromkeys(required or visitors)))
        self.alternatives: Sequence[frozenset[SecurityScheme]] = [
            *([frozenset[SecurityScheme]()] if self.refuses_strangers is False else []),
            *(dict.fromkeys(frozenset(one) for one in sets) if asked else ()),
        ]


def user_needs(endpoint: Endpoint[object]) -> UserNeeds:
    """What a handler needs of the sender of a message."""
    return UserNeeds(provider for _, provider in endpoint.injection.bindings)


def _schemes(visitor: Visitor[object]) -> Sequence[SecurityScheme]:
    return visitor.rules.schemes or (BEARER,)
