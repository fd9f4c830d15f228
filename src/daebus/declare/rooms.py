"""`Room`: the contract of a group of WebSocket clients, and `RoomAddress`: one room."""

from __future__ import annotations

import keyword
import re
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from typing_extensions import override

from daebus.errors import BadRequest, ConfigurationError
from daebus.mistakes.places import caller_place
from daebus.mistakes.suggestions import did_you_mean
from daebus.payloads.encodable import Encodable

from .contracts import Contract
from .options import refuse, require_count, require_name

__all__ = ["MAX_HISTORY", "Room", "RoomAddress", "are_ambiguous", "match_room", "shape_of", "wrong_parameters"]

MAX_HISTORY = 10_000
"""How many messages a room can keep."""

_HISTORY_BYTES = 4 * 1_048_576

Presence_co = TypeVar("Presence_co", bound=Encodable, covariant=True)

_PARAMETER = re.compile(r"\{(\w+)\}")
_VALUE = r"([^\s{}:\x00-\x1f\x7f]{1,128})"
_FITS = re.compile(_VALUE)


class RoomAddress(Generic[Presence_co]):
    """One room: ``AUCTION(id="7")``."""

    __slots__ = ("name", "room")

    def __init__(self, room: Room[Presence_co], name: str) -> None:
        self.room: Room[Presence_co] = room
        """The contract."""
        self.name: str = name
        """The name on the wire, such as ``auction:7``."""

    @override
    def __repr__(self) -> str:
        return f"RoomAddress({self.name!r})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, RoomAddress) and other.name == self.name

    @override
    def __hash__(self) -> int:
        return hash(self.name)


class Room(Contract, Generic[Presence_co]):
    """Groups of WebSocket clients over all replicas: ``Room[Watcher]("auction:{id}")``.

    The type is what the members of a room see of each other; None: nothing. Parameters in braces make one contract for
    many rooms: ``AUCTION(id="7")`` is the room ``auction:7``. Rooms belong to no service: every service that has the
    contract can send to them.

    Attributes:
        history: How many messages each room keeps for clients that come back after they were disconnected, and for
            `latest`; default: 100, at most 10,000. 0: none.
        keep: For how long they are kept after the last message; default: 5 minutes.
        history_bytes: How many bytes of messages each room keeps; default: 4 MiB. The last message is kept in any case.
        latest: Whether a client gets the last message that is kept when it joins; default: False.
        parameters: The names of the parameters.

    Raises:
        WiringError: The name, the type or an option is not valid.
    """

    _example = "Presence"
    _colons = True

    if TYPE_CHECKING:

        @property
        def history(self) -> int:
            """How many messages each room keeps."""
            ...

        @property
        def keep(self) -> timedelta:
            """For how long messages are kept after the last one."""
            ...

        @property
        def history_bytes(self) -> int:
            """How many bytes of messages each room keeps."""
            ...

        @property
        def latest(self) -> bool:
            """Whether a client gets the last message that is kept when it joins."""
            ...

        @property
        def parameters(self) -> tuple[str, ...]:
            """The names of the parameters."""
            ...
    else:
        __slots__ = ("history", "history_bytes", "keep", "latest", "parameters")

    def __init__(
        self,
        name: str,
        *,
        history: int = 100,
        keep: timedelta = timedelta(minutes=5),
        history_bytes: int = _HISTORY_BYTES,
        latest: bool = False,
    ) -> None:
        object.__setattr__(self, "history", history)
        object.__setattr__(self, "keep", keep)
        object.__setattr__(self, "history_bytes", history_bytes)
        object.__setattr__(self, "latest", latest)
        object.__setattr__(self, "parameters", _parameters_of(name))
        super().__init__(name, None)

    @override
    def _check_name(self) -> None:
        subject = f"Room({self.name!r})"
        require_name(subject, _without_parameters(self.name), colons=True)
        wrong = wrong_parameters(self.name)
        if wrong is not None:
            raise refuse(subject, *wrong, "wrong-name")

    @override
    def _check(self) -> None:
        super()._check()
        subject = f"Room({self.name!r})"
        require_count(subject, "history", self.history, or_zero=True, most=MAX_HISTORY)
        require_count(subject, "history_bytes", self.history_bytes)
        _require_duration(subject, self.keep)
        if self.latest and not self.history:
            found = "latest=True, and with history=0 no message is kept"
            raise refuse(subject, found, "write history=1", "wrong-option")

    def __call__(self, **values: str | int) -> RoomAddress[Presence_co]:
        """One room, by the values of the parameters: 1 to 128 characters, no spaces, colons or braces.

        Raises:
            BadRequest: A value is not valid, with the code ``no_such_room``: most values come from clients.
            ConfigurationError: A value is missing or unknown. The text says where the room was named.
        """
        if set(values) != set(self.parameters):
            takes = ", ".join(f"{one}=..." for one in self.parameters) or "nothing"
            given = ", ".join(f"{one}=..." for one in values) or "nothing"
            strange = [one for one in values if one not in self.parameters]
            missing = [one for one in self.parameters if one not in values]
            hint = did_you_mean(strange[0], missing, "") if strange else ""
            text = f"Room {self.name!r} takes {takes}, not {given}{hint and f'; {hint}'}"
            raise ConfigurationError(f"{caller_place()}: {text}")
        for name, value in values.items():
            if _FITS.fullmatch(str(value)) is None:
                found = f"{name}={value!r} has spaces, colons or braces, or is not of 1 to 128 characters"
                raise BadRequest(f"There is no such room: {found}", code="no_such_room")
        return RoomAddress(self, _PARAMETER.sub(lambda found: str(values[found[1]]), self.name))


def shape_of(room: Room[Encodable]) -> str:
    """The name without the names of the parameters; it is equal for contracts of the same rooms."""
    return _PARAMETER.sub("*", room.name)


def wrong_parameters(name: str) -> tuple[str, str] | None:
    """What is wrong with the parameters in the name of a contract, and the remedy; None: nothing."""
    parameters = _parameters_of(name)
    twice = next((one for one in parameters if parameters.count(one) > 1), None)
    wrong = next((one for one in parameters if not one.isidentifier() or keyword.iskeyword(one)), None)
    if wrong is not None or "}{" in name:
        found = "two parameters have nothing between them" if wrong is None else f"{{{wrong}}} is no parameter name"
        return found, "write it as in Room[None]('chat:{name}')"
    return None if twice is None else (f"it has {{{twice}}} twice", "give each parameter a name of its own")


def are_ambiguous(one: str, other: str) -> bool:
    """Whether a room can be meant by two contracts alike, such as ``chat:{name}`` and ``{kind}:news``.

    Of names with more and with fewer parameters, the one with fewer is meant.
    """
    return len(_parameters_of(one)) == len(_parameters_of(other)) and _overlap(one, other)


def _overlap(one: str, other: str) -> bool:
    first, second = _symbols(one), _symbols(other)
    waiting, seen = [(0, 0)], set[tuple[int, int]]()
    while waiting:
        at = i, j = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        if i == len(first) and j == len(second):
            return True
        if i < len(first) and j < len(second) and _share(first[i], second[j]):
            # A parameter may have more characters; then it is met again.
            waiting += [(m, n) for m in {i + 1, *_again(first, i)} for n in {j + 1, *_again(second, j)}]
    return False


def _symbols(name: str) -> list[str | None]:
    """The characters of a name; None: the value of a parameter, of one character or more."""
    parts = _PARAMETER.split(name)
    return [symbol for index, part in enumerate(parts) for symbol in ([None] if index % 2 else part)]


def _share(one: str | None, other: str | None) -> bool:
    return (
        one == other
        or (one is None and _FITS.fullmatch(other or "x") is not None)
        or (other is None and _FITS.fullmatch(one or "x") is not None)
    )


def _again(symbols: list[str | None], at: int) -> tuple[int, ...]:
    return (at,) if symbols[at] is None else ()


def match_room(contract: str, name: str) -> dict[str, str] | None:
    """The values of the parameters in the name of a room; None: it is no room of this contract.

    Args:
        contract: The name of the contract, with its parameters.
        name: The name of the room.
    """
    found = _pattern_of(contract).fullmatch(name)
    return None if found is None else dict(zip(_parameters_of(contract), found.groups(), strict=True))


def _parameters_of(name: object) -> tuple[str, ...]:
    return tuple(_PARAMETER.findall(name)) if isinstance(name, str) else ()


def _without_parameters(name: object) -> object:
    return _PARAMETER.sub("x", name) if isinstance(name, str) else name


@cache
def _pattern_of(name: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(name)
    return re.compile("".join(_VALUE if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def _require_duration(subject: str, given: object) -> None:
    if not isinstance(given, timedelta) or given <= timedelta():
        found = f"keep={given!r}, which must be a timedelta above 0"
        raise refuse(subject, found, "write keep=timedelta(minutes=5)", "wrong-option")
