"""Compiling a recorded handler into an `Endpoint`: every mistake that can be seen before a message is seen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import TypeVar

import msgspec
from dependency_injector import containers

from daebus.core.codec import (
    Decoder,
    UnsupportedTypeError,
    compile_decoder,
    compile_event_decoder,
    compile_query_decoder,
    require_json_type,
)
from daebus.core.context import Context
from daebus.core.errors import WiringError, WiringProblem
from daebus.core.signatures import MISSING, Parameter, Signature, show_type
from daebus.core.specs import Spec

from .endpoints import Endpoint, Incoming, Take
from .injection import Injection, bind_services, find_misplaced
from .workers import Workers
from .yields import fits

__all__ = ["Rule", "compile_endpoint"]

EMPTY = msgspec.Raw(b"null")

R = TypeVar("R")

Encode = Callable[[object], R]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a kind of handler may have left of the ``*``, and what becomes of what it returns.

    Attributes:
        kind: The kind, as in "a listener".
        payload: What its payload is called, such as "the event"; None: it takes none.
        required: Whether the payload must be there.
        parts: The types that mean a thing of the transport, such as the WebSocket client.
        replies: Whether what it returns goes over the wire.
        events: Whether an unknown tag is to be told apart from an invalid payload.
        streams: Whether it is an async generator; None: it may be one.
        contract: The contract's payload type and, if it replies, its reply type.
        free: Whether the transport decodes what stands left of the ``*`` itself.
        lax: Whether the payload is the query string of a URL, all of whose values are text, instead of JSON.
    """

    kind: str
    payload: str | None = None
    required: bool = False
    parts: tuple[type, ...] = ()
    replies: bool = False
    events: bool = False
    streams: bool | None = False
    contract: tuple[object, ...] = ()
    free: bool = False
    lax: bool = False


def compile_endpoint(
    spec: Spec, container: containers.Container, workers: Workers, rule: Rule, encoder: Callable[[Signature], Encode[R]]
) -> Endpoint[R]:
    """Compile a handler; `encoder` gives what turns its result into what the transport sends.

    Raises:
        WiringError: With all the mistakes of this handler.
    """
    signature = spec.read_signature()
    problems = find_misplaced(signature)
    injection = Injection({})
    takes: tuple[Take, ...] = ()
    try:
        takes = () if rule.free or problems else _take_left(signature, rule)
    except WiringError as error:
        problems.extend(error.problems)
    try:
        _check_reply(signature, rule)
    except WiringError as error:
        problems.extend(error.problems)
    try:
        injection = bind_services(container, signature)
    except WiringError as error:
        problems.extend(error.problems)
    if problems:
        raise WiringError(*problems)
    return Endpoint(spec.title, signature, takes, injection, encoder(signature), workers)


def _take_left(signature: Signature, rule: Rule) -> tuple[Take, ...]:
    problems: list[WiringProblem] = []
    takes: list[Take] = []
    payload: Parameter | None = None
    for parameter in signature.left:
        if parameter.annotation is Context:
            takes.append(_take_context)
        elif any(parameter.annotation is part for part in rule.parts):
            takes.append(_take_part)
        elif rule.payload is None or payload is not None:
            problems.append(signature.problem(parameter, *_surplus(rule, payload, parameter)))
        else:
            payload = parameter
            try:
                takes.append(_take_payload(signature, parameter, rule))
            except WiringError as error:
                problems.extend(error.problems)
    if payload is None and (rule.required or (rule.contract and rule.contract[0] is not NoneType)):
        shown = show_type(rule.contract[0]) if rule.contract else "Event"
        name = (rule.payload or "payload").removeprefix("the ")
        problems.append(
            signature.problem(None, f"it does not take {rule.payload}", f"add `{name}: {shown}` left of the *")
        )
    if problems:
        raise WiringError(*problems)
    return tuple(takes)


def _surplus(rule: Rule, payload: Parameter | None, parameter: Parameter) -> tuple[str, str]:
    parts = " or ".join(sorted(part.__name__ for part in rule.parts))
    also = f", or annotate it as {parts}" if parts else ""
    if payload is not None:
        return (
            f"{rule.kind} takes one payload, and {payload.name!r} is it already",
            f"put a bare * before {parameter.name!r} if it is a service, or make one msgspec.Struct of both{also}",
        )
    return (
        f"{rule.kind} gets nothing of this kind from the message",
        f"put a bare * before {parameter.name!r} if it is a service{also}",
    )


def _take_payload(signature: Signature, parameter: Parameter, rule: Rule) -> Take:
    if parameter.annotation is MISSING:
        raise WiringError(
            signature.problem(parameter, "it has no annotation, so nothing can be validated", "annotate its type")
        )
    if rule.contract and not fits(rule.contract[0], parameter.annotation):
        raise WiringError(
            signature.problem(
                parameter,
                f"the contract's payload is {show_type(rule.contract[0])}",
                f"annotate it as {show_type(rule.contract[0])}, or change the contract",
            )
        )
    try:
        compiled = _decoder_of(rule)
        decode: Decoder = compiled(rule.contract[0] if rule.contract else parameter.annotation)
    except UnsupportedTypeError as error:
        raise WiringError(
            signature.problem(
                parameter,
                f"it cannot be decoded from {'a query string' if rule.lax else 'JSON'}: {error}",
                "use a msgspec.Struct, a dataclass, or what msgspec supports; "
                f"put a bare * before {parameter.name!r} if it is a service",
            )
        ) from error
    return lambda incoming: decode(EMPTY if incoming.body is None else incoming.body)


def _decoder_of(rule: Rule) -> Callable[[object], Decoder]:
    if rule.lax:
        return compile_query_decoder
    return compile_event_decoder if rule.events else compile_decoder


def _take_context(incoming: Incoming) -> object:
    return incoming.context


def _take_part(incoming: Incoming) -> object:
    return incoming.part


def _check_reply(signature: Signature, rule: Rule) -> None:
    if rule.streams is not None and signature.streams is not rule.streams:
        if signature.streams:
            found, remedy = f"{rule.kind} cannot be an async generator", "return one value, or make it a StreamAction"
        else:
            found, remedy = f"{rule.kind} must be an async generator", "write `async def` and yield each item"
        raise WiringError(signature.problem(None, found, remedy))
    if not rule.replies:
        return
    if signature.returns is MISSING:
        raise WiringError(
            signature.problem(None, "the type that it returns is not annotated", "annotate it: -> Reply, or -> None")
        )
    if len(rule.contract) > 1 and not fits(signature.returns, rule.contract[1]):
        raise WiringError(
            signature.problem(
                None,
                f"it returns {show_type(signature.returns)}, but its contract says {show_type(rule.contract[1])}",
                f"return {show_type(rule.contract[1])}, or change the contract",
            )
        )
    try:
        require_json_type(signature.returns)
    except UnsupportedTypeError as error:
        raise WiringError(
            signature.problem(
                None,
                f"what it returns cannot be encoded as JSON: {error}",
                "return a msgspec.Struct, a dataclass, or what msgspec supports",
            )
        ) from error
