"""`Rule`: the allowed signatures of a kind of handler; `Hints`: facts about the handler for remedies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from daebus.declare.signatures import Signature
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note

__all__ = ["Hints", "Rule"]


def _no_more(_: Signature) -> Sequence[WiringProblem]:
    return ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """The allowed parameters left of the ``*`` for a kind of handler, and the use of its result.

    Attributes:
        kind: The kind, as in "a listener".
        payload: The term for its payload, such as "the event"; None: it takes no payload.
        required: Whether the payload is required.
        parts: The types of transport objects that it can take, such as the WebSocket client.
        strangers: The types of objects of other transports, each with its owner and the remedy.
        replies: Whether its result goes over the wire.
        silent: Whether its result is not used.
        events: Whether an unknown tag is distinguished from an invalid payload.
        streams: Whether it is an async generator; None: it may be one.
        contract: The contract's payload type and, if it replies, its reply type.
        contract_place: Where the contract was created.
        thread: Whether it has a thread of its own, which is stopped through its part.
        free: Whether the transport itself decodes the parameters left of the ``*``.
        reserved: The parameter names with a special meaning in such a transport.
        path: The parameter names in the path of a URL, which the transport checks itself.
        fields: The parameter names that are taken from the message one by one, each as text.
        gets: What it gets from the message, for mistakes; empty: only a payload.
        lax: Whether the payload is a query string, with only text values, instead of JSON.
        sent: Whether somebody sends its messages, so that it can have a user.
        check: Finds further mistakes that only the transport can find.
    """

    kind: str
    payload: str | None = None
    required: bool = False
    parts: tuple[type, ...] = ()
    strangers: Mapping[type, tuple[str, str]] = {}
    replies: bool = False
    silent: bool = False
    events: bool = False
    streams: bool | None = False
    contract: tuple[object, ...] = ()
    contract_place: str | None = None
    thread: bool = False
    free: bool = False
    reserved: frozenset[str] = frozenset()
    path: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    gets: str = ""
    lax: bool = False
    sent: bool = True
    check: Callable[[Signature], Sequence[WiringProblem]] = _no_more

    @property
    def notes(self) -> Sequence[Note]:
        """Where the contract was created, for messages."""
        return [] if self.contract_place is None else [Note("the contract", self.contract_place)]

    def is_part(self, annotation: object) -> bool:
        """Whether a parameter with this annotation gets an object of the transport."""
        return any(annotation is part for part in self.parts)

    def is_contract_payload(self, annotation: object) -> bool:
        """Whether this is the payload type of the contract."""
        return bool(self.contract) and annotation == self.contract[0]


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a handler that remedies need.

    Attributes:
        threaded: Whether the handler must be ``def``.
        has_message: Whether there are parameters left of the ``*``.
        unsent: The kind of a handler whose messages nobody sends, as in "a thread"; None: somebody sends them.
    """

    threaded: bool = False
    has_message: bool = True
    unsent: str | None = None
