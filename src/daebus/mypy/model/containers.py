"""Container classes: the providers by name, and the type of the object that each provider returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mypy.checker import TypeChecker
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import AssignmentStmt, NameExpr, SymbolNode, TypeInfo, Var
from mypy.types import (
    AnyType,
    Instance,
    NoneType,
    PartialType,
    ProperType,
    Type,
    TypeOfAny,
    TypeVarType,
    UninhabitedType,
    UnionType,
    get_proper_type,
)

from .reports import remember

__all__ = ["Container", "Provider", "container_of", "is_provider", "read_provider"]

SERVICE_CONTAINER = "daebus.app.container.ServiceContainer"
_OWNERS = ("daebus.app.blueprint.Blueprint", "daebus.app.service.Daebus")
_PROVIDERS = "dependency_injector.providers."
_PROVIDER = _PROVIDERS + "Provider"

# The type of what these return is known only at run time, whatever their stubs say.
_UNKNOWN = frozenset(
    _PROVIDERS + name
    for name in (
        "Aggregate",
        "AttributeGetter",
        "Configuration",
        "ConfigurationOption",
        "Delegate",
        "DependenciesContainer",
        "FactoryAggregate",
        "ItemGetter",
        "MethodCaller",
        "ProvidedInstance",
        "Self",
    )
)
# Of what these return, only the class is known, not the type of the items.
_COLLECTIONS = frozenset({_PROVIDERS + "List", _PROVIDERS + "Dict"})
_CONTAINER = _PROVIDERS + "Container"
_DELEGATED = _PROVIDERS + "Delegated"


@dataclass(frozen=True)
class Provider:
    """A provider of a container.

    Attributes:
        name: The name in the container.
        gives: The type of the object that it returns; None: it is known only at run time.
        nested: The nested container that it returns; None: it returns another object.
        kind: The full name of its class; empty: it is not known.
    """

    name: str
    gives: ProperType | None
    nested: Container | None
    kind: str = ""

    @property
    def may_give_a_provider(self) -> bool:
        """Whether it may give a provider instead of an object, as ``repo.provider`` does."""
        return self.kind == _PROVIDER or self.kind.startswith(_DELEGATED)


class Container:
    """A container class, read from mypy's type information."""

    def __init__(self, api: TypeChecker, info: TypeInfo) -> None:
        self._api = api
        self.info = info
        self.name: str = info.name

    @property
    def is_bare(self) -> bool:
        """Whether it is `ServiceContainer` itself, without providers of the user."""
        return self.info.fullname == SERVICE_CONTAINER

    def attribute(self, name: str) -> SymbolNode | None:
        """The attribute of the class or of a base class, outside of dependency-injector; None: there is none.

        mypy checks the handler again when the attribute changes.
        """
        classes = list(self._classes())
        remember(
            self._api,
            [info.fullname for info in classes] + [f"{info.fullname}.{name}" for info in classes],
            [Instance(self.info, [])],
        )
        found = next((info.names[name] for info in classes if name in info.names), None)
        return None if found is None else found.node

    def find(self, name: str) -> Provider | None:
        """The provider with a name; None: there is none."""
        node = self.attribute(name)
        typ = _type(self._api, node) if isinstance(node, Var) else None
        if isinstance(typ, AnyType):
            return Provider(name, None, None)
        return read_provider(self._api, name, typ) if isinstance(typ, Instance) and is_provider(typ) else None

    def names(self) -> list[str]:
        """The names of its providers: its own first, those of daebus last; sorted, because a cache has no order."""
        found: dict[str, None] = {}
        for info in self._classes():
            for name, symbol in sorted(info.names.items()):
                typ = _type(self._api, symbol.node) if isinstance(symbol.node, Var) else None
                if not name.startswith("_") and isinstance(typ, Instance) and is_provider(typ):
                    found[name] = None
        return list(found)

    def providers(self) -> Iterator[Provider]:
        """All its providers."""
        for name in self.names():
            provider = self.find(name)
            if provider is not None:
                yield provider

    def _classes(self) -> Iterator[TypeInfo]:
        for info in self.info.mro:
            if info.fullname.startswith("dependency_injector."):
                return
            yield info


def container_of(api: TypeChecker, recorder: Type) -> Container | None:
    """The container of a blueprint or an app; None: its type is not known."""
    recorder = get_proper_type(recorder)
    if not isinstance(recorder, Instance):
        return None
    owner = next((info for info in recorder.type.mro if info.fullname in _OWNERS), None)
    if owner is None:
        return None
    arguments = map_instance_to_supertype(recorder, owner).args
    given = get_proper_type(arguments[0]) if arguments else None
    if isinstance(given, TypeVarType):
        given = get_proper_type(given.upper_bound)
    if isinstance(given, Instance) and given.type.has_base(SERVICE_CONTAINER):
        return None if given.type.fallback_to_any else Container(api, given.type)
    return None


def read_provider(api: TypeChecker, name: str, provider: Instance) -> Provider:
    """A provider, read from its type."""
    base = _base(provider, _PROVIDER)
    given = get_proper_type(base.args[0]) if base is not None and base.args else None
    nested = None
    kinds = {info.fullname for info in provider.type.mro}
    if _CONTAINER in kinds:
        nested = Container(api, given.type) if isinstance(given, Instance) else None
        given = None
    elif kinds & _COLLECTIONS and isinstance(given, Instance):
        given = Instance(given.type, [AnyType(TypeOfAny.special_form)] * len(given.args))
    elif kinds & _UNKNOWN or _is_vague(given):
        given = None
    if given is not None:
        remember(api, [], [given])
    return Provider(name, given, nested, provider.type.fullname)


def _is_vague(given: ProperType | None) -> bool:
    if isinstance(given, UnionType):
        return any(_is_vague(get_proper_type(item)) for item in given.items)
    if isinstance(given, Instance):
        return given.type.fullname == "builtins.object" or given.type.fallback_to_any
    return given is None or isinstance(given, AnyType | UninhabitedType | TypeVarType | PartialType | NoneType)


def is_provider(typ: Instance) -> bool:
    """Whether a type is that of a provider."""
    return typ.type.has_base(_PROVIDER)


def _base(typ: Instance, fullname: str) -> Instance | None:
    info = next((info for info in typ.type.mro if info.fullname == fullname), None)
    return None if info is None else map_instance_to_supertype(typ, info)


def _type(api: TypeChecker, var: Var) -> ProperType:
    """The type of a variable; inferred where mypy has not come to it yet, because two modules import each other."""
    if var.type is not None:
        return get_proper_type(var.type)
    for statement in var.info.defn.defs.body if var.info else ():
        if isinstance(statement, AssignmentStmt) and any(
            isinstance(target, NameExpr) and target.node is var for target in statement.lvalues
        ):
            with api.msg.filter_errors(), api.local_type_map:
                return get_proper_type(api.expr_checker.accept(statement.rvalue))
    return AnyType(TypeOfAny.special_form)
