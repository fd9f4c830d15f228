"""Right of the ``*``: each parameter is bound to a provider of the container, by name or by `use`, and checked."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from dependency_injector import containers, providers

from daebus.core.affinity import LoopOnly, ThreadOnly
from daebus.core.errors import WiringError, WiringProblem
from daebus.core.places import place_of
from daebus.core.signatures import MISSING, Parameter, Signature, show_type

from .per_message import MessageScope
from .yields import UNKNOWN, find_unawaited, fits, yielded_type

__all__ = ["Injection", "bind_services", "find_misplaced", "use"]

T = TypeVar("T")

AnyProvider = providers.Provider[object]


@dataclass(frozen=True, slots=True)
class _Use:
    provider: AnyProvider


def use(provider: providers.Provider[T]) -> T:
    """Name the provider of a parameter, in the place of its default.

    Example: ``async def handler(*, repo: UserRepo = use(Container.repo)) -> None: ...``.
    The provider may stand in a container class, in one that it inherits from, or in a nested container.
    """
    return cast("T", _Use(provider))


class Injection:
    """The services of one handler: providers that are called anew for each message, so that overrides count."""

    __slots__ = ("bindings", "scope")

    def __init__(self, bindings: Mapping[str, AnyProvider]) -> None:
        self.bindings = tuple(bindings.items())
        self.scope = MessageScope(bindings.values())

    def services(self) -> dict[str, object]:
        """The objects to pass to the handler, by parameter name."""
        return {name: provider() for name, provider in self.bindings}


def find_misplaced(signature: Signature) -> list[WiringProblem]:
    """A problem for each `use` that stands left of the ``*``."""
    return [
        signature.problem(
            parameter, "use(...) stands left of the *, where the message is", f"put a bare * before {parameter.name!r}"
        )
        for parameter in signature.left
        if isinstance(parameter.default, _Use)
    ]


def bind_services(container: containers.Container, signature: Signature) -> Injection:
    """Bind what stands right of the ``*``.

    Raises:
        WiringError: With all the parameters that cannot be bound.
    """
    bindings: dict[str, AnyProvider] = {}
    problems: list[WiringProblem] = []
    for parameter in signature.right:
        try:
            bindings[parameter.name] = _bind(container, signature, parameter)
        except WiringError as error:
            problems.extend(error.problems)
    if problems:
        raise WiringError(*problems)
    return Injection(bindings)


def _bind(container: containers.Container, signature: Signature, parameter: Parameter) -> AnyProvider:
    if isinstance(parameter.default, _Use):
        provider = _find_used(container, parameter.default.provider)
        if provider is None:
            raise _refuse(
                signature,
                parameter,
                f"use(...) names a provider that {_name_of(container)} does not have",
                "use a provider of the app's own container class, of its bases or of a container nested in it",
            )
    else:
        provider = container.providers.get(parameter.name)
        if provider is None or parameter.name == "__self__":
            raise _refuse(signature, parameter, *_unknown(container, parameter))
    if parameter.annotation is MISSING:
        raise _refuse(
            signature,
            parameter,
            "it has no annotation, so the provider cannot be checked",
            f"annotate it, as {parameter.name}: {_shown(yielded_type(provider))}",
        )
    given = yielded_type(provider)
    if not fits(given, parameter.annotation):
        raise _refuse(signature, parameter, *_mismatch(container, parameter, given))
    _check_affinity(signature, parameter, given)
    unawaited = find_unawaited(provider)
    if unawaited is not None:
        raise _refuse(
            signature,
            parameter,
            f"nobody would await {unawaited.__qualname__} ({place_of(unawaited)})",
            "make it a providers.Resource, opened when the service starts, or a PerMessage, opened for each message",
        )
    return provider


def _refuse(signature: Signature, parameter: Parameter, found: str, remedy: str) -> WiringError:
    return WiringError(signature.problem(parameter, found, remedy))


def _name_of(container: containers.Container) -> str:
    parent = container.declarative_parent
    return "the container" if parent is None else parent.__name__


def _shown(given: object) -> str:
    return "its type" if given is UNKNOWN else show_type(given)


def _offered(container: containers.Container) -> Sequence[str]:
    return sorted(name for name in container.providers if not name.startswith("_"))


def _unknown(container: containers.Container, parameter: Parameter) -> tuple[str, str]:
    names = _offered(container)
    found = f"{_name_of(container)} has no provider {parameter.name!r}; it has: {', '.join(names)}"
    close = difflib.get_close_matches(parameter.name, names, n=1)
    if close:
        return found, f"did you mean {close[0]!r}?"
    same_type = [
        name
        for name in names
        if (given := yielded_type(container.providers[name])) is not UNKNOWN and given == parameter.annotation
    ]
    if same_type:
        return found, f"{same_type[0]!r} gives a {_shown(parameter.annotation)}: rename the parameter to it"
    annotation = "Something" if parameter.annotation is MISSING else show_type(parameter.annotation)
    return found, (
        f"add `{parameter.name} = providers.Singleton({annotation})` to the container, "
        "or move the parameter left of the * if it comes from the message"
    )


def _mismatch(container: containers.Container, parameter: Parameter, given: object) -> tuple[str, str]:
    found = f"the provider {parameter.name!r} of {_name_of(container)} gives {show_type(given)}"
    others = [
        name
        for name in _offered(container)
        if (other := yielded_type(container.providers[name])) is not UNKNOWN and fits(other, parameter.annotation)
    ]
    if others:
        return found, f"annotate it as {show_type(given)}, or name it {others[0]!r}, which gives what you annotated"
    return found, f"annotate it as {show_type(given)}, or change the provider"


def _check_affinity(signature: Signature, parameter: Parameter, given: object) -> None:
    if not isinstance(given, type):
        return
    if issubclass(given, LoopOnly) and not signature.is_async:
        raise _refuse(
            signature,
            parameter,
            f"a `def` handler runs in a thread, where a {given.__name__} cannot be awaited",
            f"ask for {given.twin!r}, or make the handler `async def`",
        )
    if issubclass(given, ThreadOnly) and signature.is_async:
        raise _refuse(
            signature,
            parameter,
            f"an `async def` handler runs on the event loop, which a {given.__name__} would block",
            f"ask for {given.twin!r}, or make the handler `def`",
        )


def _find_used(container: containers.Container, wanted: AnyProvider) -> AnyProvider | None:
    """The provider of this container instance that `wanted`, of its class, was copied to."""
    if isinstance(wanted, providers.TypedConfigurationOption):
        option = _find_option(container, wanted.option)
        return option and providers.TypedConfigurationOption(wanted.provides, option, *wanted.args[1:], **wanted.kwargs)
    if isinstance(wanted, providers.ConfigurationOption):
        return _find_option(container, wanted)
    return _find_copy(container, wanted, _declared(container))


def _find_option(container: containers.Container, wanted: providers.ConfigurationOption) -> AnyProvider | None:
    root = wanted._get_root()  # noqa: SLF001  # nothing else tells which configuration an option belongs to
    here = _find_copy(container, root, _declared(container))
    if here is None:
        return None
    first, *rest = wanted.get_name_segments()
    option = cast("providers.ConfigurationOption", getattr(here, str(first)))
    for segment in rest:
        option = option[segment]

    def required() -> Any:
        # A required option keeps the first value that it gave, which overrides would not change.
        return option.required()()

    return providers.Callable(required) if wanted.is_required() else option


def _declared(container: containers.Container) -> list[Mapping[str, AnyProvider]]:
    """The providers of a container as its class and its bases declare them."""
    bases = () if container.declarative_parent is None else container.declarative_parent.__mro__
    return [base.cls_providers for base in bases if issubclass(base, containers.DeclarativeContainer)]


def _find_copy(
    container: containers.Container, wanted: AnyProvider, declared: Sequence[Mapping[str, AnyProvider]]
) -> AnyProvider | None:
    for own in declared:
        for name, provider in own.items():
            if provider is wanted:
                return container.providers.get(name)
    for name, nested in container.providers.items():
        inner = _inner(nested)
        if inner is not None:
            copied = [there.providers for own in declared if (there := _inner(own.get(name))) is not None]
            found = _find_copy(inner, wanted, [*copied, *_declared(inner)])
            if found is not None:
                return found
    return None


def _inner(provider: AnyProvider | None) -> containers.Container | None:
    """The container in a provider of a nested container."""
    if isinstance(provider, providers.Container):
        return cast("providers.Container[containers.Container]", provider).container
    return None
