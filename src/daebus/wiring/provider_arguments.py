"""Checks of the arguments of providers, before anything is built, for calls that would fail at the first message."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

from dependency_injector import containers, errors, providers, resources

from daebus.mistakes.places import Place, place_of, place_of_class
from daebus.mistakes.problem import Code, WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_both
from daebus.mistakes.sources import line_at
from daebus.mistakes.suggestions import did_you_mean

from .lookup import find_fitting, is_simple, name_of, names_of, provider_place
from .provided_types import UNKNOWN, find_unentered, fits, is_iterator, yielded_type

__all__ = ["find_wrong_arguments"]

AnyProvider = providers.Provider[object]

_ABSTRACT = (providers.AbstractFactory, providers.AbstractSingleton, providers.AbstractCallable)
_CALLED: tuple[type, ...] = (providers.Factory, providers.BaseSingleton, providers.Callable, providers.BaseResource)
_WITH_INIT: tuple[type, ...] = (resources.Resource, resources.AsyncResource)
# These give a provider without calling it; its user may call it with further arguments.
_GIVEN: tuple[type, ...] = (
    providers.Delegate,
    providers.DelegatedFactory,
    providers.DelegatedSingleton,
    providers.DelegatedCallable,
    providers.FactoryAggregate,
    providers.Selector,
)

# The related providers of these are not dependencies, or are checked together with them.
_LEAVES = (
    providers.Container,
    providers.Configuration,
    providers.ConfigurationOption,
    providers.TypedConfigurationOption,
)


def find_wrong_arguments(container: containers.Container, needed: Iterable[AnyProvider]) -> Iterator[WiringProblem]:
    """Problems of providers whose call would fail, and of required configuration options that are missing.

    Args:
        container: The container.
        needed: The providers that are called without further arguments. Other providers may get arguments later.
    """
    walk = _Walk(container)
    for provider in needed:
        yield from walk.visit(provider, "", is_called=True)
    for provider, path in names_of(container).items():
        yield from walk.visit(provider, path, is_called=False)


class _Walk:
    """A walk through the providers of a container that visits each one once."""

    def __init__(self, container: containers.Container) -> None:
        self._container = container
        self._names = names_of(container)
        self._seen: dict[AnyProvider, bool] = {}
        self._told_of: set[AnyProvider] = set()

    def visit(self, provider: AnyProvider, path: str, *, is_called: bool) -> Iterator[WiringProblem]:
        """The problems of a provider and of its dependencies; `path` is the nearest name above it."""
        path = self._names.get(provider, path)
        if provider.last_overriding is not None:
            if not isinstance(provider, providers.Container):
                yield from self.visit(provider.last_overriding, path, is_called=is_called)
            return
        if self._seen.get(provider) or (provider in self._seen and not is_called):
            return
        self._seen[provider] = is_called
        problem = None if provider in self._told_of else self._problem(provider, path, is_called=is_called)
        if problem is not None:
            self._told_of.add(provider)
            yield problem
        if isinstance(provider, _LEAVES):
            return
        for child in provider.related:
            calls = is_called and not isinstance(provider, _GIVEN) and not isinstance(child, _GIVEN)
            yield from self.visit(child, path, is_called=calls)

    def _problem(self, provider: AnyProvider, path: str, *, is_called: bool) -> WiringProblem | None:
        if isinstance(provider, providers.ConfigurationOption | providers.TypedConfigurationOption):
            return self._of_option(provider, path) if is_called else None
        if isinstance(provider, _ABSTRACT):
            if not is_called:
                return None
            found = f"no provider is given for this {type(provider).__name__}"
            return self._told(path, found, "override it, or make it a provider of its own", "undefined-dependency")
        if not isinstance(provider, _CALLED):
            return None
        call = _Call(provider)
        wrong = call.wrong(self._container, is_called=is_called) or self._called_early(call, path)
        return None if wrong is None else self._told(path, *wrong, notes=call.notes())

    def _called_early(self, call: _Call, path: str) -> tuple[str, str, Code] | None:
        """The mistake of an argument that was made by a provider while the container was defined."""
        made = list(call.objects())
        where = provider_place(self._container, path) if made else None
        span = where.span() if isinstance(where, Place) else None
        if span is None:
            return None
        lines = [line_at(span.path, line) for line in range(span.line, span.end_line + 1)]
        for value in made:
            for name, provider in self._container.providers.items():
                if yielded_type(provider) is type(value) and re.search(rf"\b{name}\(\)", "\n".join(lines)):
                    found = f"{name}() is called at import, so its object is not that of the container"
                    return found, f"pass the provider: {name}, without ()", "wrong-argument"
        return None

    def _of_option(
        self, option: providers.ConfigurationOption | providers.TypedConfigurationOption[object], path: str
    ) -> WiringProblem | None:
        kind = option.provides if isinstance(option, providers.TypedConfigurationOption) else None
        plain = option.option if isinstance(option, providers.TypedConfigurationOption) else option
        segments = plain.get_name_segments()
        root = plain._get_root()  # noqa: SLF001  # nothing else tells which configuration an option belongs to
        # A set value is an override by an Object; nothing is known of other overrides.
        is_known = root.last_overriding is None or isinstance(root.last_overriding, providers.Object)
        if not is_known or not all(isinstance(segment, str) for segment in segments):
            return None
        config = self._names.get(root, "config")
        path, name = path or config, ".".join([config, *map(str, segments)])
        remedy = f"set it before the app starts, as by container.{config}.from_dict(...) or .from_yaml(...)"
        try:
            value = root.get(".".join(map(str, segments)), required=plain.is_required())
        except errors.Error:
            return self._told(path, f"it needs {name}, which must be set and is not", remedy, "unset-option")
        if kind not in (int, float):
            return None
        try:
            kind(cast("str", value))  # any value is tried
        except (TypeError, ValueError):
            found = f"it needs {name} as {kind.__name__}, and it is {'not set' if value is None else repr(value)}"
            return self._told(path, found, remedy, "unset-option")
        return None

    def _told(self, path: str, found: str, remedy: str, code: Code, notes: Iterable[Note] = ()) -> WiringProblem:
        owner = name_of(self._container)
        where = provider_place(self._container, path) or owner
        return WiringProblem(where, f"{owner}.{path}", found, remedy, code=code, notes=notes)


class _Call:
    """The call of a provider: the function and the arguments."""

    def __init__(self, provider: AnyProvider) -> None:
        called = cast("providers.Factory[object]", provider)
        provides: object = called.provides
        self._provides = provides
        self._kind = type(provider).__name__
        self._args: tuple[object, ...] = called.args
        self._kwargs: Mapping[str, object] = {k: v for k, v in called.kwargs.items() if "__" not in k}
        self._is_method = isinstance(provides, type) and issubclass(provides, _WITH_INIT)
        self._target: object = getattr(provides, "init", None) if self._is_method else provides
        self._name = str(getattr(provides, "__name__", repr(provides)))

    def objects(self) -> Iterator[object]:
        """The arguments of classes of the user that are given as they are, without a provider."""
        for value in (*self._args, *self._kwargs.values()):
            if not isinstance(value, providers.Provider | type) and type(value).__module__ != "builtins":
                yield value

    def notes(self) -> Iterator[Note]:
        """Where the called function is defined."""
        if isinstance(self._provides, type):
            own = self._provides.__dict__.get("__init__")
            # The `__init__` of a dataclass is generated.
            if inspect.isfunction(own) and not own.__code__.co_filename.startswith("<") and self._abstract() is None:
                yield Note("what it takes", place_of(own))
            else:
                yield Note("defined here", place_of_class(self._provides))
        elif inspect.isroutine(self._provides):
            yield Note("what it takes", place_of(self._provides))

    def wrong(self, container: containers.Container, *, is_called: bool) -> tuple[str, str, Code] | None:
        """The mistake in the call, the remedy and the kind of the mistake."""
        if self._provides is None:
            return f"this {self._kind} has nothing to call", f"write providers.{self._kind}(TheClass)", "wrong-argument"
        unmade = self._abstract()
        if unmade is not None:
            return unmade
        try:
            signature = inspect.signature(cast("Callable[..., object]", self._target))
        except (TypeError, ValueError, NameError):
            return None
        if self._is_method:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        try:
            bound = signature.bind_partial(*self._args, **self._kwargs)
        except TypeError as error:
            return self._surplus(signature, error)
        if is_called:
            given = bound.arguments.keys()
            for parameter in signature.parameters.values():
                needs = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
                if needs and parameter.default is parameter.empty and parameter.name not in given:
                    return self._missing(container, parameter.name)
        return self._mismatch(bound.arguments)

    def _abstract(self) -> tuple[str, str, Code] | None:
        if not isinstance(self._provides, type):
            return None
        is_protocol = bool(self._provides.__dict__.get("_is_protocol"))
        if is_protocol or inspect.isabstract(self._provides):
            what = "a Protocol" if is_protocol else "abstract"
            remedy = f"name a class that implements {self._name}, or write providers.Dependency(instance_of=...)"
            return f"{self._name} is {what}, which cannot be instantiated", remedy, "wrong-argument"
        return None

    def _surplus(self, signature: inspect.Signature, error: TypeError) -> tuple[str, str, Code]:
        known = list(signature.parameters)
        unknown = next((name for name in self._kwargs if name not in known), None)
        if unknown is None:
            found = f"{self._name} cannot be called with these arguments: {error}"
            return found, "correct the arguments", "wrong-argument"
        takes = f"it takes {', '.join(known)}" if known else "it takes nothing"
        remedy = did_you_mean(unknown, known, f"remove it: {takes}")
        return f"{self._name} takes no {unknown!r}", remedy, "wrong-argument"

    def _missing(self, container: containers.Container, name: str) -> tuple[str, str, Code]:
        wanted = self._hints().get(name, UNKNOWN)
        fitting = next((one for one in find_fitting(container, wanted) if "." not in one), None)
        other = name if name in container.providers else fitting
        return f"{self._name} needs {name!r}, which is not given", f"add {name}={other or '...'}", "wrong-argument"

    def _mismatch(self, given: Mapping[str, object]) -> tuple[str, str, Code] | None:
        hints = self._hints()
        for name, value in given.items():
            wanted = hints.get(name, UNKNOWN)
            wrong = None
            if isinstance(value, providers.Provider) and not isinstance(value, _GIVEN):
                wrong = self._mistyped(name, cast("AnyProvider", value), wanted)
            elif isinstance(value, type) and isinstance(wanted, type) and wanted in value.__mro__[:-1]:
                found = f"{self._name} takes {name!r} as an object, and gets the class {value.__name__}"
                wrong = found, f"make a provider of it: {name}=providers.Singleton({value.__name__})", "wrong-argument"
            if wrong is not None:
                return wrong
        return None

    def _mistyped(self, name: str, value: AnyProvider, wanted: object) -> tuple[str, str, Code] | None:
        unentered = find_unentered(value)
        if unentered is not None and not is_iterator(wanted):
            found = f"{self._name} would get the generator of {unentered.__name__} as {name!r}, which is never opened"
            return found, "make that a providers.Resource, or a PerMessage", "never-entered"
        if value.last_overriding is not None:
            return None
        given = yielded_type(value)
        # Only user-defined types are specific enough; a type that may be narrower than its annotation is accepted.
        if is_simple(given) or fits(given, wanted) or fits(wanted, given):
            return None
        shown, asked = show_both(given, wanted)
        return f"{self._name} takes {name!r} as {asked}, and gets {shown}", "give it another provider", "wrong-argument"

    def _hints(self) -> Mapping[str, object]:
        made = self._provides
        source = made
        if isinstance(made, type):
            source = self._target if self._is_method else made
            own = getattr(made, "__init__", None)
            if not self._is_method and inspect.isfunction(own):
                source = own
        try:
            return typing.get_type_hints(source, include_extras=True)
        except (NameError, TypeError, AttributeError, SyntaxError):
            return {}
