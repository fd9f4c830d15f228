"""Contracts: immutable values with the name and the types of an action, a channel or a client message."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, NoReturn, TypeVar, cast, overload

from typing_extensions import override

from daebus.mistakes.places import CallSite, call_site
from daebus.mistakes.show_type import show_type
from daebus.payloads.codec import UnresolvedTypeError, UnsupportedTypeError, require_json_type
from daebus.payloads.encodable import Encodable

from .deferring import collect
from .options import RESERVED_TYPES, ROOM_NOTICES, refuse, require_name, require_seconds

__all__ = ["Action", "Channel", "Contract", "Message", "StreamAction"]

# Not contravariant: of a payload that is yet to be typed, editors then show no type.
In = TypeVar("In", bound=Encodable)
Out_co = TypeVar("Out_co", bound=Encodable, covariant=True)
Item_co = TypeVar("Item_co", bound=Encodable, covariant=True)
Event = TypeVar("Event", bound=Encodable)
Data = TypeVar("Data", bound=Encodable)

_WEEK = 7 * 86400.0
# Where daebus' own channels begin.
_OWN = "daebus:"

_parametrised: dict[tuple[object, ...], object] = {}
# The classes whose types have a JSON form: a service may have hundreds of contracts of one class.
_accepted: set[type] = set()


class Contract:
    """A name with types. Immutable; equal if kind, name, service and types are equal; a copy is the same object."""

    if TYPE_CHECKING:
        # Read-only, which annotations alone do not say.
        @property
        def name(self) -> str:
            """The name on the wire."""
            ...

        @property
        def service(self) -> str | None:
            """The service that it belongs to; None if the contract does not name one."""
            ...
    else:
        __slots__ = ("_site", "name", "service")

    _site: CallSite
    _arguments: ClassVar[tuple[object, ...]] = ()
    _example: ClassVar[str] = ""
    # Whether the name may contain colons: only where it is the full name of a channel, with nothing appended.
    _colons: ClassVar[bool] = False

    def __init__(self, name: str, service: str | None) -> None:
        # Also of a wrong contract, whose mistake may be kept.
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "service", service)
        object.__setattr__(self, "_site", call_site())
        collect(self._check, None)

    def _check(self) -> None:
        """Refuse what can never work. Raises `WiringError`."""
        kind, name, service = type(self).__name__, self.name, self.service
        if not self._arguments:
            raise refuse(
                f"{kind}({name!r})",
                f"this {kind} has no types, so nothing could be checked or decoded",
                f"write them in brackets, such as {kind}[{self._example}]({name!r})",
                "untyped-contract",
            )
        self._check_name()
        if service is not None:
            require_name(f"{kind}({name!r}, service={service!r})", service)
        if type(self) not in _accepted:
            for part in self._arguments:
                _require_json_type(kind, name, part)
            _accepted.add(type(self))

    def _check_name(self) -> None:
        require_name(f"{type(self).__name__}({self.name!r})", self.name, colons=self._colons)

    @property
    def types(self) -> tuple[object, ...]:
        """The type arguments, in the order in which they were given; None is ``NoneType``."""
        return self._arguments

    def __class_getitem__(cls, item: object) -> object:
        arguments = cast("tuple[object, ...]", item) if isinstance(item, tuple) else (item,)
        if any(map(_is_open, arguments)):
            # Generic's own subscription, for subclasses that keep their type variables.
            return super().__class_getitem__(item)  # type: ignore[misc]
        for part in arguments:
            if isinstance(part, str):
                raise refuse(
                    f"{cls.__name__}[{part!r}]",
                    "the type is a string, which cannot be resolved here",
                    "write the type itself, below its definition",
                    "wrong-contract",
                )
        wanted = cast("tuple[TypeVar, ...]", getattr(cls, "__parameters__", ()))
        if len(arguments) != len(wanted):
            raise refuse(
                f"{cls.__name__}[{', '.join(map(show_type, arguments))}]",
                f"it has {len(arguments)} type{'s' * (len(arguments) != 1)}, and {cls.__name__} takes {len(wanted)}",
                f"write {cls.__name__}[{', '.join(part.__name__.partition('_')[0] for part in wanted) or '...'}] once",
                "wrong-contract",
            )
        arguments = tuple(NoneType if part is None else part for part in arguments)
        key = (cls, *((type(part), part) for part in arguments))
        if key not in _parametrised:
            body = {"_arguments": arguments, "__slots__": (), "__module__": cls.__module__, "__doc__": cls.__doc__}
            _parametrised[key] = type(cls.__name__, (cls,), body)
        return _parametrised[key]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self!r} is immutable: cannot delete {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contract):
            return NotImplemented
        mine, theirs = (self.name, self.service, self.types), (other.name, other.service, other.types)
        return mine == theirs and type(self).__name__ == type(other).__name__

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name, self.service))

    def __copy__(self) -> Contract:
        return self

    def __deepcopy__(self, memo: object) -> Contract:
        return self

    def __repr__(self) -> str:
        inner = ", ".join(map(show_type, self.types))
        service = "" if self.service is None else f", service={self.service!r}"
        return f"{type(self).__name__}[{inner}]({self.name!r}{service})"


def _is_open(part: object) -> bool:
    """Whether a type argument has type variables, as in the definition of a generic subclass."""
    return isinstance(part, TypeVar) or (not isinstance(part, type) and bool(getattr(part, "__parameters__", ())))


def _require_json_type(kind: str, name: str, part: object) -> None:
    """Refuse a type that cannot go over the wire; a type with unresolved forward references is checked later."""
    try:
        require_json_type(part)
    except UnresolvedTypeError:
        pass
    except UnsupportedTypeError as error:
        found = f"it cannot go over the wire as JSON: {error}"
        raise refuse(f"{kind}({name!r})", found, error.remedy, "undecodable") from error


class Action(Contract, Generic[In, Out_co]):
    """A request with one reply: ``Action[GetUser, User]("get_user", service="users")``.

    The first type is the payload (None: no payload), the second is the reply. `service` is the service that serves the
    action; without it, the caller names the service, or the caller's own service is meant.

    Raises:
        WiringError: The name or a type cannot go over the wire.
    """

    __slots__ = ()
    _example = "Payload, Reply"

    def __init__(self, name: str, *, service: str | None = None) -> None:
        super().__init__(name, service)


class StreamAction(Contract, Generic[In, Item_co]):
    """A request with many replies: ``StreamAction[ImportJob, ImportStep]("import", service="users")``.

    Its handler is an async generator; callers iterate over ``bus.stream(...)``. Otherwise it is like an `Action`.
    """

    __slots__ = ()
    _example = "Payload, Item"

    def __init__(self, name: str, *, service: str | None = None) -> None:
        super().__init__(name, service)


class Channel(Contract, Generic[Event]):
    """Events under one name: ``Channel[UserCreated | UserDeleted]("user_events")``.

    By default, an event is delivered to every replica of every subscribed service that is connected when the event is
    published. With ``durable=True`` events are kept: each listener is a consumer group, so one replica of its service
    handles each event, including events published while no replica was running.

    Attributes:
        durable: Whether events are kept until handled.
        retention: Seconds that a durable event is kept at most for listeners that are not running; default: 7 days.
        keep: Seconds for which a durable event is kept at least, also after all listeners have handled it: for those
            who follow the channel, and come back after they were disconnected; default: 0. At most `retention`.

    Raises:
        WiringError: The name or a type cannot go over the wire, or a duration is not valid.
    """

    _example = "Event"
    _colons = True

    if TYPE_CHECKING:

        @property
        def durable(self) -> bool:
            """Whether events are kept until handled."""
            ...

        @property
        def retention(self) -> float:
            """Seconds that a durable event is kept at most for listeners that are not running."""
            ...

        @property
        def keep(self) -> float:
            """Seconds for which a durable event is kept at least, for those who follow the channel."""
            ...
    else:
        __slots__ = ("durable", "keep", "retention")

    @overload
    def __init__(self, name: str, *, durable: Literal[False] = False) -> None: ...
    @overload
    def __init__(self, name: str, *, durable: bool, retention: float = _WEEK, keep: float = 0.0) -> None: ...
    def __init__(self, name: str, *, durable: bool = False, retention: float = _WEEK, keep: float = 0.0) -> None:
        object.__setattr__(self, "durable", durable)
        object.__setattr__(self, "keep", keep)
        object.__setattr__(self, "retention", retention)
        super().__init__(name, None)

    @override
    def _check(self) -> None:
        super()._check()
        if self.name.startswith(_OWN):
            found = f"the names of daebus' own channels begin with {_OWN!r}"
            raise refuse(f"Channel({self.name!r})", found, "give it another name", "reserved-name")
        require_seconds(f"Channel({self.name!r})", "retention", self.retention)
        require_seconds(f"Channel({self.name!r})", "keep", self.keep, or_zero=True)
        for option, given, default in (("retention", self.retention, _WEEK), ("keep", self.keep, 0.0)):
            if given != default and not self.durable:
                found = f"{option}={given!r}, but the channel is not durable, so it keeps no events"
                remedy = f"add durable=True, or leave {option} out"
                raise refuse(f"Channel({self.name!r})", found, remedy, "wrong-option")
        if self.keep > self.retention:
            found = f"keep={self.keep!r} is more than retention={self.retention!r}, the longest time"
            raise refuse(
                f"Channel({self.name!r})", found, "give both the same value, or a shorter keep", "wrong-option"
            )


class Message(Contract, Generic[Data]):
    """A message to WebSocket clients: ``Message[User]("user_online")``; its name is the envelope's ``type``.

    Raises:
        WiringError: The name or a type cannot go over the wire.
    """

    __slots__ = ()
    _example = "Data"
    _colons = True

    def __init__(self, name: str) -> None:
        super().__init__(name, None)

    @override
    def _check(self) -> None:
        super()._check()
        if self.name in (*RESERVED_TYPES, *ROOM_NOTICES):
            use = "the answers to clients" if self.name in RESERVED_TYPES else "what members of rooms are told"
            found = f"the name {self.name!r} is reserved for {use}"
            raise refuse(f"Message({self.name!r})", found, "give the message another name", "reserved-name")
