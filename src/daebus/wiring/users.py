"""The users that handlers and guards ask for: whether there can be one, and the call of guards with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from dependency_injector import containers, providers

from daebus.declare.hints import resolve_hints
from daebus.declare.options import Guard
from daebus.declare.signatures import MISSING, Signature
from daebus.declare.specs import Spec
from daebus.errors import Forbidden, WiringError
from daebus.identity.provider import Identity, identities
from daebus.mistakes.places import place_of
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_both, show_type
from daebus.payloads.codec import UnsupportedTypeError, require_json_type

from .lookup import name_of, offer
from .provided_types import UNKNOWN, accepts_none, fits
from .rules import Rule

__all__ = ["Guarded", "find_wrong_identity", "guarded", "visited"]

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
            found = f"{unsent} handles no message of a sender, so it has no user"
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


class _Check(msgspec.Struct, frozen=True):
    """A guard and where its arguments come from: the name of a service, then indexes or names of the left side."""

    guard: Guard
    user: str
    takes: Sequence[int | str]

    def require(self, left: Sequence[object], named: dict[str, object]) -> None:
        """Raise `Forbidden` unless the guard lets the message pass."""
        values = [left[take] if isinstance(take, int) else named[take] for take in self.takes]
        if self.guard(named[self.user], *values) is not True:
            raise Forbidden("You may not do this", details={"requires": self.guard.__name__})


class Guarded(msgspec.Struct, frozen=True):
    """A handler behind its guards.

    Attributes:
        function: Calls the guards, and then the handler.
        users: The providers of the users that the guards get, by the names of arguments of `function`.
        problems: The mistakes of the guards.
    """

    function: Callable[..., Any]
    users: dict[str, AnyProvider]
    problems: Sequence[WiringProblem] = ()


def guarded(spec: Spec, signature: Signature, container: containers.Container, rule: Rule) -> Guarded:
    """A handler behind the guards of its decorator and its blueprint."""
    checks: list[_Check] = []
    users: dict[str, AnyProvider] = {}
    problems: list[WiringProblem] = []
    for guard in spec.requires:
        try:
            reading = _Reading(guard, spec, signature, container, rule)
            provider = reading.user()
            name = next((name for name, known in users.items() if known is provider), f"daebus_user_{len(users)}")
            users[name] = provider
            checks.append(_Check(guard, name, list(reading.takes())))
        except WiringError as error:
            problems.extend(error.problems)
    function: Callable[..., Any] = signature.function
    return Guarded(_behind(function, checks, list(users)) if checks else function, users, problems)


def _behind(function: Callable[..., Any], checks: Sequence[_Check], users: Sequence[str]) -> Callable[..., Any]:
    def call(*left: object, **named: object) -> object:
        for check in checks:
            check.require(left, named)
        for name in users:
            del named[name]
        return function(*left, **named)

    return call


class _Reading:
    """The parameters of a guard, matched with the container and with a handler. Its methods raise `WiringError`."""

    def __init__(
        self, guard: Guard, spec: Spec, signature: Signature, container: containers.Container, rule: Rule
    ) -> None:
        self._guard = guard
        self._spec = spec
        self._signature = signature
        self._container = container
        self._rule = rule
        hints = resolve_hints(guard, spec.namespace)
        self._names = list(inspect.signature(guard).parameters)
        self._types = [hints.get(name, MISSING) for name in self._names]

    def user(self) -> AnyProvider:
        """The provider of the user, who is the first argument."""
        if not self._names or self._types[0] is MISSING:
            raise self._wrong("its first parameter must be the user", "write def may_do(user: User) -> bool")
        name, wanted = self._names[0], self._types[0]
        known = self._container.providers
        fitting = {
            one: provider
            for one, provider in known.items()
            if isinstance(provider, Identity) and fits(provider.given_type, wanted)
        }
        found = fitting.get(name) or (next(iter(fitting.values())) if len(fitting) == 1 else None)
        shown = show_type(wanted)
        if found is None and fitting:
            names = " and ".join(map(repr, fitting))
            raise self._wrong(
                f"{names} of {name_of(self._container)} are {shown}", "name the parameter like one of them"
            )
        if found is None:
            raise self._wrong(
                f"no Identity of {name_of(self._container)} gives {shown}",
                f"add `user = Identity(find_user)` to {name_of(self._container)}, or correct the annotation",
                offer(self._container),
            )
        wrong = find_wrong_identity(found, None)
        if wrong is not None:
            raise self._wrong(wrong[0], wrong[1])
        return visited(found) if accepts_none(wanted) else found

    def takes(self) -> Iterator[int | str]:
        """Where its further arguments come from: indexes, or names, of what is left of the ``*``."""
        left = self._signature.left
        payloads = [one for one in left if not self._rule.is_part(one.annotation)] if self._rule.payload else []
        for name, wanted in zip(self._names[1:], self._types[1:], strict=True):
            named = next((one for one in left if one.name == name), None)
            given = named or (payloads[0] if len(self._names) == 2 and len(payloads) == 1 else None)
            if given is None:
                has = ", ".join(map(str, left)) or "nothing"
                found = f"{self._signature.name} has no {name!r} left of the *, which the guard asks for"
                raise self._wrong(found, f"name one of its parameters: it has {has}")
            if not fits(given.annotation, wanted):
                shown, asked = show_both(given.annotation, wanted)
                found = f"it takes {name!r} as {asked}, and {self._signature.name} has {shown}"
                raise self._wrong(found, f"annotate it as {shown}")
            yield given.name if self._rule.free else left.index(given)

    def _wrong(self, found: str, remedy: str, *notes: Note) -> WiringError:
        name = getattr(self._guard, "__qualname__", repr(self._guard))
        notes = (Note("the guard", place_of(self._guard)), *notes)
        return WiringError(self._spec.problem(f"requires={name}: {found}", remedy, code="wrong-guard", notes=notes))
