"""`Rule`: what a kind of handler may look like; `Hints`: what remedies for it take into account."""

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
    """What a kind of handler may have left of the ``*``, and what becomes of what it returns.

    Attributes:
        kind: The kind, as in "a listener".
        payload: What its payload is called, such as "the event"; None: it takes none.
        required: Whether the payload must be there.
        parts: The types that mean a thing of the transport, such as the WebSocket client.
        strangers: The types that mean a thing of other transports: who has it, and what to do.
        replies: Whether what it returns goes over the wire.
        silent: Whether nobody gets what it returns.
        events: Whether an unknown tag is to be told apart from an invalid payload.
        streams: Whether it is an async generator; None: it may be one.
        contract: The contract's payload type and, if it replies, its reply type.
        contract_place: Where the contract was made.
        thread: Whether it has a thread of its own, which is stopped by its part.
        free: Whether the transport decodes what stands left of the ``*`` itself.
        reserved: The names to which such a transport gives a meaning.
        path: The names that stand in the path of a URL, which the transport checks itself.
        lax: Whether the payload is the query string of a URL, all of whose values are text, instead of JSON.
        check: Further mistakes, which only the transport can see.
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
    lax: bool = False
    check: Callable[[Signature], Sequence[WiringProblem]] = _no_more

    @property
    def notes(self) -> Sequence[Note]:
        """Where the contract was made, for messages."""
        return [] if self.contract_place is None else [Note("the contract", self.contract_place)]

    def is_part(self, annotation: object) -> bool:
        """Whether a parameter so annotated gets a thing of the transport."""
        return any(annotation is part for part in self.parts)

    def is_contract_payload(self, annotation: object) -> bool:
        """Whether the contract says that the payload is of this type."""
        return bool(self.contract) and annotation == self.contract[0]


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What remedies take into account.

    Attributes:
        threaded: Whether the handler must be ``def``.
        has_message: Whether something stands left of the ``*``.
    """

    threaded: bool = False
    has_message: bool = True
