"""Checks of the users that handlers ask for: whether there can be one, and whether it can be sent on."""

from __future__ import annotations

from dependency_injector import providers

from daebus.identity.provider import Identity, identities
from daebus.mistakes.problem import Code
from daebus.payloads.codec import UnsupportedTypeError, require_json_type

from .provided_types import UNKNOWN

__all__ = ["find_wrong_identity", "visited"]

AnyProvider = providers.Provider[object]


def find_wrong_identity(provider: AnyProvider, unsent: str | None) -> tuple[str, str, Code, Identity[object]] | None:
    """The mistake in the use of an identity that a provider needs, the remedy, its code, and the identity.

    Args:
        provider: The provider.
        unsent: The kind of a handler whose messages nobody sends; None: somebody sends them.
    """
    for identity in identities(provider):
        if identity.last_overriding is not None:
            continue
        if unsent is not None:
            found = f"nobody sends {unsent} a message, so it has no user"
            return found, "pass the user in a message, or remove the parameter", "no-sender", identity
        wrong = _unforwardable(identity)
        if wrong is not None:
            return *wrong, identity
    return None


def _unforwardable(identity: Identity[object]) -> tuple[str, str, Code] | None:
    """Why a user cannot be sent on."""
    if not identity.visitor.rules.forward:
        return None
    given = identity.given_type
    if given is UNKNOWN:
        found = "the function that finds the user does not say what it returns"
        return found, "annotate it: -> User | None", "missing-return"
    try:
        require_json_type(given)
    except UnsupportedTypeError as error:
        found = f"the user is sent on as JSON with everything that a handler sends, and cannot be: {error}"
        return found, "let find_user return a struct, or write Identity(..., forward=False)", "unencodable"
    return None


def visited(provider: AnyProvider) -> AnyProvider:
    """The provider for a parameter that may be None: that of an identity lets strangers in."""
    return provider.visitor if isinstance(provider, Identity) else provider
