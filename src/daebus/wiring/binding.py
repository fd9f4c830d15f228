"""Right of the ``*``: each parameter is bound to a provider of the container, by name or by `use`, and checked."""

from __future__ import annotations

import typing
from collections.abc import Collection
from typing import TypeVar, cast

import msgspec
from dependency_injector import containers, providers

from daebus.core.affinity import LoopOnly, ThreadOnly
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.delivery.injection import Injection
from daebus.errors import WiringError
from daebus.mistakes.places import place_of
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_both, show_type
from daebus.mistakes.suggestions import closest
from daebus.payloads.codec import is_json_type

from .lookup import (
    as_provider,
    find_fitting,
    find_used,
    is_bare,
    name_of,
    offer,
    offered,
    path_of,
    plain_attribute,
    provider_note,
)
from .provided_types import (
    UNKNOWN,
    accepts_none,
    find_unawaited,
    find_unentered,
    fits,
    is_async_resource,
    is_iterator,
    missing_members,
    yielded_type,
)
from .rules import Hints
from .users import find_wrong_identity, visited

__all__ = ["bind_services", "find_misplaced", "is_used", "use"]

T = TypeVar("T")

AnyProvider = providers.Provider[object]


class _Use(msgspec.Struct, frozen=True):
    provider: AnyProvider


def use(provider: providers.Provider[T]) -> T:
    """Name the provider of a parameter; used as the default of the parameter.

    Example: ``async def handler(*, repo: UserRepo = use(Container.repo)) -> None: ...``.
    The provider may be in a container class, in one of its base classes or in a nested container. Registering the
    blueprint raises `WiringError` if the app's container has no such provider or if the type does not fit.
    """
    return cast("T", _Use(provider))


def is_used(parameter: Parameter) -> bool:
    """Whether a parameter names its provider by `use`."""
    return isinstance(parameter.default, _Use)


def find_misplaced(signature: Signature) -> list[WiringProblem]:
    """A problem for each `use` left of the ``*``."""
    return [
        signature.problem(
            parameter,
            "use(...) is left of the *, where parameters come from the message",
            f"put a bare * before {parameter.name!r}",
            code="forgotten-star",
        )
        for parameter in signature.left
        if is_used(parameter)
    ]


def bind_services(
    container: containers.Container,
    signature: Signature,
    *,
    without: Collection[str] = (),
    hints: Hints | None = None,
) -> Injection:
    """Bind the parameters right of the ``*``.

    Args:
        container: Provides the services.
        signature: The signature of the handler.
        without: The parameters that are already known to be wrong.
        hints: For the remedies.

    Raises:
        WiringError: Parameters cannot be bound; the error lists all of them.
    """
    bindings: dict[str, AnyProvider] = {}
    problems: list[WiringProblem] = []
    for parameter in signature.right:
        try:
            if parameter.name not in without:
                bindings[parameter.name] = _Binding(container, signature, parameter, hints or Hints()).provider()
        except WiringError as error:
            problems.extend(error.problems)
    if problems:
        raise WiringError(*problems)
    return Injection(bindings)


class _Binding(msgspec.Struct, frozen=True):
    """The binding of one parameter right of the ``*`` to a provider."""

    container: containers.Container
    signature: Signature
    parameter: Parameter
    hints: Hints

    def provider(self) -> AnyProvider:
        """The provider, checked. Raises `WiringError`."""
        parameter = self.parameter
        self._check_default()
        provider = self._used(parameter.default.provider) if isinstance(parameter.default, _Use) else self._named()
        given = yielded_type(provider)
        self._check_entered(provider)
        if parameter.annotation is MISSING:
            found = "it has no annotation, so the provider cannot be checked"
            shown = "its type" if given is UNKNOWN else show_type(given)
            raise self._refused("missing-annotation", found, f"annotate it, as {parameter.name}: {shown}")
        if not fits(given, parameter.annotation):
            raise self._mismatch(given)
        self._check_affinity(parameter.annotation if given is UNKNOWN else given)
        self._check_awaited(provider)
        if parameter.default is not MISSING and not is_used(parameter):
            found = "its default would never be used: the provider of its name gives the value"
            raise self._refused("unused-default", found, "remove it")
        wrong = find_wrong_identity(provider, self.hints.unsent)
        if wrong is not None:
            found, remedy, code, identity = wrong
            path = path_of(self.container, identity)
            notes = [provider_note(self.container, path, "it finds the sender of a message")] if path else []
            raise self._refused(code, found, remedy, *notes)
        return visited(provider) if accepts_none(parameter.annotation) else provider

    def _check_default(self) -> None:
        """Refuse the syntax of other frameworks instead of `use`: a provider, or a marker with one."""
        default, name = self.parameter.default, self.parameter.name
        is_marker = type(default).__module__ == "dependency_injector.wiring"
        wanted = getattr(default, "provider", None) if is_marker else default
        if isinstance(wanted, providers.Provider):
            provider = find_used(self.container, cast("AnyProvider", wanted))
            path = None if provider is None else path_of(self.container, provider)
            remedy = f"write {self.parameter} = use({name_of(self.container)}.{path or name})"
            remedy += f", or leave the default out: {name!r} is its name" if path == name else ""
            found = "its default would never be used: a provider is named by use(...)"
            raise self._refused("unused-default", found, remedy)

    def _check_entered(self, provider: AnyProvider) -> None:
        unentered = find_unentered(provider)
        if unentered is not None and not is_iterator(self.parameter.annotation):
            raise self._refused(
                "never-entered",
                f"it would get the generator of {unentered.__qualname__} itself, which is never opened",
                "make it a providers.Resource, opened when the service starts, "
                "or a PerMessage, opened for each message",
                Note("it yields", place_of(unentered)),
                *([provider_note(self.container, path, "the provider")] if (path := self._path()) else []),
            )

    def _refused(self, code: Code, found: str, remedy: str, *notes: Note) -> WiringError:
        return WiringError(self.signature.problem(self.parameter, found, remedy, code=code, notes=notes))

    def _used(self, wanted: object) -> AnyProvider:
        if not isinstance(wanted, providers.Provider):
            found = f"use(...) names {wanted!r}, which is not a provider"
            raise self._refused("not-a-provider", found, "name one of the container's providers: use(Container.name)")
        provider = find_used(self.container, cast("AnyProvider", wanted))
        if provider is None:
            path = path_of(self.container, cast("AnyProvider", wanted))
            if path is not None:
                found, owner = "use(...) names a provider of one container, not of its class", name_of(self.container)
                raise self._refused("foreign-provider", found, f"write use({owner}.{path})")
            raise self._refused(
                "foreign-provider",
                f"use(...) names a provider that {name_of(self.container)} does not have",
                "use a provider of the app's own container class, of its bases or of a container nested in it",
                offer(self.container),
            )
        return provider

    def _named(self) -> AnyProvider:
        name = self.parameter.name
        provider = self.container.providers.get(name)
        if provider is not None and name != "__self__":
            return provider
        attribute = plain_attribute(self.container, name)
        if attribute is not UNKNOWN:
            found = f"{name_of(self.container)}.{name} is not a provider"
            remedy = f"make it one: {name} = {as_provider(attribute)}"
            note = provider_note(self.container, name, f"a {type(attribute).__name__}")
            raise self._refused("not-a-provider", found, remedy, note)
        found = f"{name_of(self.container)} has no provider {name!r}"
        raise self._refused("unknown-service", found, self._instead(), offer(self.container))

    def _instead(self) -> str:
        """The remedy for a name that is not the name of a provider."""
        name, owner = self.parameter.name, name_of(self.container)
        wanted = self.parameter.annotation
        fitting = list(find_fitting(self.container, wanted))
        close = closest(name, [path for path in fitting if "." not in path]) or closest(name, offered(self.container))
        if close is not None:
            return f"did you mean {close!r}?"
        shown = "Something" if wanted is MISSING else show_type(wanted)
        if fitting:
            rename = "" if "." in fitting[0] else f"rename it to {fitting[0]!r}, or "
            return f"{rename}write {name}: {shown} = use({owner}.{fitting[0]})"
        add = f"add `{name} = providers.Singleton({shown if isinstance(wanted, type) else '...'})` to {owner}"
        if is_bare(self.container):
            add = f"give the app a container that has it: Daebus(..., container=Container()), with `{name} = ...` in it"
        is_payload = self.hints.has_message and is_json_type(wanted)
        return f"{add}, or move it left of the * if it comes from the message" if is_payload else add

    def _mismatch(self, given: object) -> WiringError:
        wanted = self.parameter.annotation
        path = self._path()
        found = f"the provider {path!r} of {name_of(self.container)}" if path else "use(...)"
        shown, asked = show_both(given, wanted)
        notes = [provider_note(self.container, path, f"it gives {shown}")] if path else []
        missing = missing_members(given, wanted)
        if missing:
            notes.append(Note(f"{shown} has no {' and no '.join(missing)}, which {asked} asks for"))
        other = next(find_fitting(self.container, wanted), None)
        remedy = f"annotate it as {shown}, or change the provider"
        if other is not None and "." in other:
            use_it = f"{self.parameter.name}: {asked} = use({name_of(self.container)}.{other})"
            remedy = f"annotate it as {shown}, or write {use_it}"
        elif other is not None:
            remedy = f"annotate it as {shown}, or name it {other!r}, which gives {asked}"
        return self._refused("wrong-type", f"{found} gives {shown}", remedy, *notes)

    def _path(self) -> str | None:
        if not isinstance(self.parameter.default, _Use):
            return self.parameter.name
        provider = find_used(self.container, self.parameter.default.provider)
        return None if provider is None else path_of(self.container, provider)

    def _check_affinity(self, given: object) -> None:
        members = typing.get_args(given) or (given,)
        for kind in (member for member in members if isinstance(member, type)):
            if issubclass(kind, LoopOnly) and not self.signature.is_async:
                found = f"a `def` handler runs in a thread, where a {kind.__name__} cannot be awaited"
                raise self._refused("needs-the-loop", found, f"ask for {kind.__twin__!r}{self._or_async}")
            if issubclass(kind, ThreadOnly) and self.signature.is_async:
                found = f"an `async def` handler runs on the event loop, which a {kind.__name__} would block"
                raise self._refused("blocks-the-loop", found, f"ask for {kind.__twin__!r}, or make the handler `def`")

    @property
    def _or_async(self) -> str:
        return "" if self.hints.threaded else ", or make the handler `async def`"

    def _check_awaited(self, provider: AnyProvider) -> None:
        unawaited = find_unawaited(provider)
        path = self._path()
        if unawaited is not None:
            raise self._refused(
                "never-awaited",
                f"{unawaited.__qualname__} ({place_of(unawaited)}) would never be awaited",
                "make it a providers.Resource, opened when the service starts, "
                "or a PerMessage, opened for each message",
                Note("it is async", place_of(unawaited)),
            )
        if not self.signature.is_async and is_async_resource(provider):
            found = "a `def` handler runs in a thread, and what an async Resource gives belongs to the event loop"
            opens = "open it by a plain generator, `def ...: yield`"
            remedy = opens if self.hints.threaded else f"make the handler `async def`, or {opens}"
            notes = [provider_note(self.container, path, "an async Resource")] if path else []
            raise self._refused("async-resource", found, remedy, *notes)
