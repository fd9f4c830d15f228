"""Compiles a recorded handler into an `Endpoint`, and finds every mistake that shows before a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from types import NoneType
from typing import TypeVar

import msgspec
from dependency_injector import containers

from daebus.core.context import Context
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.declare.specs import Spec
from daebus.delivery.endpoint import Endpoint, Incoming, Take
from daebus.delivery.injection import Injection
from daebus.delivery.interceptors import NONE, Interceptors
from daebus.delivery.workers import Workers
from daebus.errors import WiringError
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.show_type import show_both, show_type
from daebus.payloads.codec import (
    Decoder,
    UnresolvedTypeError,
    UnsupportedTypeError,
    compile_decoder,
    compile_event_decoder,
    compile_query_decoder,
    is_json_type,
)

from .binding import bind_services, find_misplaced, is_used
from .interceptors import find_blind
from .lookup import is_simple
from .misplaced import find_service, from_message, report_services, report_stranger
from .provided_types import fits
from .returns import check_returns
from .rules import Hints, Rule
from .users import guarded

__all__ = ["Rule", "compile_endpoint"]

EMPTY = msgspec.Raw(b"null")

R = TypeVar("R")

Encode = Callable[[object], R]


def compile_endpoint(
    spec: Spec,
    container: containers.Container,
    workers: Workers,
    rule: Rule,
    encoder: Callable[[Signature], Encode[R]],
    interceptors: Interceptors = NONE,
) -> Endpoint[R]:
    """Compile a handler.

    Args:
        spec: The handler.
        container: Provides its services.
        workers: The thread pool for a ``def`` handler.
        rule: The allowed signatures of such a handler.
        encoder: Returns the function that encodes the handler's result for the transport.
        interceptors: The interceptors of its messages.

    Raises:
        WiringError: The handler has mistakes; the error lists all of them.
    """
    signature = spec.read_signature()
    left = _Left(signature, container, rule)
    problems = [*rule.check(signature), *left.problems]
    injection = Injection({})
    misplaced = from_message(signature, container, rule, payload=left.payload)
    if not misplaced:
        problems.extend(left.find_missing())
    problems.extend(misplaced.values())
    problems.extend(check_returns(signature, rule))
    if rule.streams is not False:
        problems.extend(find_blind(signature, interceptors))
    try:
        injection = bind_services(container, signature, without={*misplaced, *rule.path}, hints=_hints(rule))
    except WiringError as error:
        problems.extend(error.problems)
    behind = guarded(spec, signature, container, rule)
    problems.extend(behind.problems)
    if problems:
        raise WiringError(*problems)
    injection = injection.along_with(behind.users)
    arguments = "**left" if rule.free else ", ".join(f"left{index}" for index in range(len(left.takes)))
    return Endpoint(
        title=spec.title,
        signature=signature,
        take=_taking(left.takes),
        injection=injection,
        call=injection.bind(behind.function, arguments),
        call_directly=injection.bind_directly(behind.function, arguments),
        encode=encoder(signature),
        workers=workers,
        interceptors=interceptors,
    )


def _hints(rule: Rule) -> Hints:
    has_message = rule.free or rule.payload is not None
    return Hints(threaded=rule.thread, has_message=has_message, unsent=None if rule.sent else rule.kind)


def _taking(takes: Sequence[Take]) -> Callable[[Incoming], Sequence[object]]:
    """Combine the functions that take one parameter each; it must be fast, as it runs for each message."""
    if not takes:
        return lambda _: ()
    if len(takes) == 1:
        (only,) = takes
        return lambda incoming: (only(incoming),)
    return lambda incoming: [take(incoming) for take in takes]


class _Left:
    """The parameters left of the ``*``: how each is taken from a message, and its mistakes.

    Attributes:
        takes: One function for each parameter, unless there are problems.
        payload: The parameter that takes the payload.
        problems: All the mistakes, except missing parameters.
    """

    def __init__(self, signature: Signature, container: containers.Container, rule: Rule) -> None:
        self._signature = signature
        self._container = container
        self._rule = rule
        self.takes: list[Take] = []
        self.payload: Parameter | None = None
        self.problems: list[WiringProblem] = find_misplaced(signature)
        if self.problems:
            return  # errors that follow from it would only distract
        services = {
            parameter.name: service
            for parameter in signature.left
            if (service := self._service(parameter) or self._take(parameter)) is not None
        }
        self.problems[:0] = report_services(signature, container, services)
        self.problems.extend(self._find_defaults())

    def _service(self, parameter: Parameter) -> str | None:
        """The provider that a parameter means, if it should be right of the ``*``."""
        rule, annotation = self._rule, parameter.annotation
        if annotation is Context or rule.is_part(annotation) or annotation in rule.strangers:
            return None
        if parameter.name in rule.reserved | rule.path | rule.fields or rule.is_contract_payload(annotation):
            return None
        sure = not rule.free and (rule.payload is None or self.payload is not None)
        if not sure and (rule.free or parameter.name in self._container.providers):
            sure = not is_simple(annotation) and not is_json_type(annotation)
        return find_service(self._container, parameter, sure=sure)

    def _take(self, parameter: Parameter) -> str | None:
        """Set how a parameter is taken; returns the provider that it means, if it is a misplaced service."""
        rule, signature, annotation = self._rule, self._signature, parameter.annotation
        stranger = report_stranger(signature, parameter, rule)
        if stranger is not None:
            self.problems.append(stranger)
        elif rule.free:
            return None
        elif annotation is Context:
            self.takes.append(_take_context)
        elif rule.is_part(annotation):
            self.takes.append(_take_part)
        elif parameter.name in rule.fields:
            self._take_field(parameter)
        elif annotation is MISSING and parameter.name in ("self", "cls") and parameter is signature.left[0]:
            found, remedy = "it is a method, and its first parameter would never be passed", "move it out of the class"
            self.problems.append(signature.problem(parameter, found, remedy, code="method-as-handler"))
        elif rule.payload is None or self.payload is not None:
            self.problems.append(_surplus(signature, rule, self.payload, parameter))
        else:
            return self._take_payload(parameter)
        return None

    def _take_field(self, parameter: Parameter) -> None:
        annotation = str if parameter.annotation is MISSING else parameter.annotation
        try:
            decode = compile_query_decoder(msgspec.defstruct("Values", [(parameter.name, annotation)]), "room")
        except (UnresolvedTypeError, UnsupportedTypeError) as error:
            found = f"it cannot be decoded from text: {error}"
            self.problems.append(self._signature.problem(parameter, found, error.remedy, code="undecodable"))
        else:
            value_of = attrgetter(parameter.name)
            self.takes.append(lambda incoming: value_of(decode(incoming.body or b"")))

    def _take_payload(self, parameter: Parameter) -> str | None:
        try:
            self.takes.append(_take_payload(self._signature, parameter, self._rule))
        except WiringError as error:
            if any(problem.code == "undecodable" for problem in error.problems):
                service = find_service(self._container, parameter, sure=True)
                if service is not None:
                    return service
            self.problems.extend(error.problems)
        self.payload = parameter
        return None

    def _find_defaults(self) -> Iterator[WiringProblem]:
        """Problems of defaults that would never be used; a transport that decodes by itself does use defaults."""
        told = {problem.parameter for problem in self.problems}
        for parameter in () if self._rule.free else self._signature.left:
            if parameter.default is MISSING or parameter.name in told:
                continue
            remedy = "remove it"
            if parameter is self.payload and not fits(NoneType, parameter.annotation):
                remedy = f"remove it, or write {parameter} | None: a message without a payload is None"
            found = "its default would never be used: a message always gives a value"
            yield self._signature.problem(parameter, found, remedy, code="unused-default")

    def find_missing(self) -> Iterator[WiringProblem]:
        """Problems of required parameters that are missing left of the ``*``."""
        rule, signature = self._rule, self._signature
        if any(is_used(parameter) for parameter in signature.left):
            return
        if rule.thread and not signature.is_async and not any(rule.is_part(one.annotation) for one in signature.left):
            part = rule.parts[0].__name__
            name = part.lower()
            yield signature.problem(
                None,
                f"it does not take `{name}: {part}`, so it could not be stopped",
                f"add `{name}: {part}` left of the *, and return once {name}() is false",
                code="unstoppable-thread",
            )
        if self.payload is None and (rule.required or (rule.contract and rule.contract[0] is not NoneType)):
            shown = show_type(rule.contract[0]) if rule.contract else "Event"
            name = (rule.payload or "payload").removeprefix("the ")
            yield signature.problem(
                None,
                f"it does not take {rule.payload}",
                f"add `{name}: {shown}` left of the *",
                code="missing-payload",
                notes=rule.notes,
            )


def _surplus(signature: Signature, rule: Rule, payload: Parameter | None, parameter: Parameter) -> WiringProblem:
    parts = " or ".join(sorted(part.__name__ for part in rule.parts))
    also = f", or annotate it as {parts}" if parts else ""
    service = f"put a bare * before {parameter.name!r} if it is a service"
    if payload is not None:
        found = f"{rule.kind} takes one payload, and {payload.name!r} is already the payload"
        remedy = f"{service}, or make one msgspec.Struct of both{also}"
        return signature.problem(parameter, found, remedy, code="second-payload")
    none = "no such value from the message" if parts else "no message, so this parameter would have no value"
    found = f"{rule.kind} gets {rule.gets or none}"
    return signature.problem(parameter, found, f"{service}{also}, or remove it", code="unexpected-payload")


def _take_payload(signature: Signature, parameter: Parameter, rule: Rule) -> Take:
    if parameter.annotation is MISSING:
        found, remedy = "it has no annotation, so nothing can be validated", "annotate its type"
        if rule.contract:
            remedy = f"annotate it as {show_type(rule.contract[0])}"
        raise WiringError(signature.problem(parameter, found, remedy, code="missing-annotation"))
    if rule.contract and not fits(rule.contract[0], parameter.annotation):
        wanted, _ = show_both(rule.contract[0], parameter.annotation)
        raise WiringError(
            signature.problem(
                parameter,
                f"the payload of the contract is {wanted}",
                f"annotate it as {wanted}, or change the contract",
                code="wrong-payload",
                notes=rule.notes,
            )
        )
    try:
        compiled = _decoder_of(rule)
        decode: Decoder = compiled(rule.contract[0] if rule.contract else parameter.annotation)
    except UnresolvedTypeError as error:
        raise WiringError(
            signature.problem(parameter, str(error), error.remedy, code="unresolved-annotation")
        ) from error
    except UnsupportedTypeError as error:
        found = f"it cannot be decoded from {'a query string' if rule.lax else 'JSON'}: {error}"
        remedy = error.remedy
        if not rule.contract:
            remedy += f"; put a bare * before {parameter.name!r} if it is a service"
        raise WiringError(signature.problem(parameter, found, remedy, code="undecodable")) from error
    return lambda incoming: decode(EMPTY if incoming.body is None else incoming.body)


def _decoder_of(rule: Rule) -> Callable[[object], Decoder]:
    if rule.lax:
        return compile_query_decoder
    return compile_event_decoder if rule.events else compile_decoder


def _take_context(incoming: Incoming) -> object:
    return incoming.context


def _take_part(incoming: Incoming) -> object:
    return incoming.part
