"""Parameters left of the ``*``: whether the message can have them, with the types of the contract."""

from __future__ import annotations

from collections.abc import Iterator

from mypy.nodes import ARG_STAR, ARG_STAR2, Argument
from mypy.subtypes import is_subtype
from mypy.types import NoneType, ProperType

from daebus.mistakes.suggestions import closest
from daebus.mypy.model.containers import Container
from daebus.mypy.model.data import are_alike, foreign_part
from daebus.mypy.model.handlers import Handler, Parameter
from daebus.mypy.model.kinds import CONTEXT, PARTS, RUNNING
from daebus.mypy.model.reading import keyword
from daebus.mypy.model.reports import show, show_both
from daebus.mypy.model.rooms import parameters_in

__all__ = ["Mistake", "payload_mistakes"]

Mistake = tuple[Parameter | None, str, str]
"""The parameter, or None for the whole handler; what was found; what to do."""

_UNANNOTATED = "it has no annotation, so nothing can be validated"


def payload_mistakes(handler: Handler, container: Container | None) -> Iterator[Mistake]:
    """The mistakes of the parameters left of the ``*``: they cannot come from the message, or one is missing."""
    for parameter in handler.parameters:
        if parameter.kind in (ARG_STAR, ARG_STAR2):
            stars = "*" if parameter.kind is ARG_STAR else "**"
            found = f"neither the message nor the container can fill {stars}{parameter.name}"
            remedy = "name each parameter: left of a bare * what comes from the message, right of it the services"
            yield parameter, found, remedy
    payload: Parameter | None = None
    for parameter in handler.left:
        if parameter.used is not None:
            yield parameter, "use(...) is left of the *, where parameters come from the message", _star(parameter)
        elif not parameter.is_annotated:
            yield parameter, _UNANNOTATED, "annotate its type"
        elif handler.kind.free:
            yield from _free_mistakes(handler, parameter, container)
        elif (part := next((part for part in PARTS if parameter.is_a(part)), None)) is not None:
            if part not in (CONTEXT, handler.kind.part):
                yield parameter, f"{handler.kind.title} has no {_bare(part)}, only {PARTS[part]} has", "remove it"
        elif payload is not None or handler.kind.payload is None:
            yield from _surplus(handler, payload, parameter, container)
        else:
            payload = parameter
            yield from _wrong_payload(handler, parameter, container)
    yield from _missing(handler, payload)


def _missing(handler: Handler, payload: Parameter | None) -> Iterator[Mistake]:
    kind, left = handler.kind, handler.left
    expected = handler.decoration.contract[0] if handler.decoration.contract else None
    if payload is None and (kind.required or not (expected is None or isinstance(expected, NoneType))):
        shown = "ItsType" if expected is None else show(handler.api, expected)
        yield None, f"it does not take the {kind.payload}", f"add `{kind.payload}: {shown}` left of the *"
    elif payload is not None and kind.required and handler.decoration.contract and payload is not left[0]:
        yield payload, f"the {kind.payload} must be the first parameter", f'put it before "{left[0].name}"'
    if kind.part == RUNNING:
        switch = next((parameter for parameter in left if parameter.is_a(RUNNING)), None)
        if switch is None:
            found = "it does not take `running: Running`, so it could not be stopped"
            yield None, found, "add it left of the *, and return once running() is false"
        elif switch is not left[0]:
            yield switch, "`running` must be the first parameter", f'put it before "{left[0].name}"'


def _surplus(
    handler: Handler, payload: Parameter | None, parameter: Parameter, container: Container | None
) -> Iterator[Mistake]:
    """None if it is a parameter of the name of a room."""
    kind = handler.kind
    is_service = _is_service(parameter, container) or foreign_part(parameter.type) is not None
    if kind.named and not is_service:
        yield from _strange_parameter(handler, parameter)
        return
    part = "" if kind.part is None else f", or annotate it as {_bare(kind.part)}"
    if payload is None:
        found = f"{kind.title} gets no such value from the message"
        yield parameter, found, f"{_star(parameter)}{'' if is_service else ' if it is a service'}{part}"
        return
    found = f'{kind.title} takes one {kind.payload}, and "{payload.name}" is already the payload'
    both = "" if is_service else " if it is a service, or make one msgspec.Struct of both"
    yield parameter, found, f"{_star(parameter)}{both}{part}"


def _strange_parameter(handler: Handler, parameter: Parameter) -> Iterator[Mistake]:
    room = keyword(handler.call, "room", 0)
    names = None if room is None else parameters_in(handler.api, room)
    if names is not None and parameter.name not in names:
        gets = f"only {' and '.join(names)}" if names else "no values"
        found = f"{handler.kind.title} gets {gets} from the name of the room"
        close = closest(parameter.name, names)
        yield parameter, found, _star(parameter) if close is None else f'did you mean "{close}"?'


def _wrong_payload(handler: Handler, parameter: Parameter, container: Container | None) -> Iterator[Mistake]:
    expected = handler.decoration.contract[0] if handler.decoration.contract else None
    foreign = foreign_part(parameter.type)
    if expected is not None and not is_subtype(expected, parameter.type):
        yield parameter, *_other_payload(handler, parameter, expected)
    elif foreign is not None:
        found = f"the {handler.kind.payload} cannot be decoded from a message into a {show(handler.api, foreign)}"
        if _is_service(parameter, container):
            yield parameter, found, f"{_star(parameter)}: the container provides it"
        else:
            yield parameter, found, f"{_star(parameter)} if it is a service, or take a msgspec.Struct or a dataclass"
    elif expected is None and are_alike(parameter.type):
        found = f"the structs of {show(handler.api, parameter.type)} cannot be told apart in a message"
        yield parameter, found, "give each of them a tag: class Created(msgspec.Struct, tag=True)"


def _other_payload(handler: Handler, parameter: Parameter, expected: ProperType) -> tuple[str, str]:
    if isinstance(expected, NoneType):
        return "the contract has no payload", f"{_star(parameter)} if it is a service, or change the contract"
    says, takes = show_both(handler.api, expected, parameter.type)
    if handler.decoration.name == "listen":
        return f"the channel carries {says}, not only {takes}", f"annotate it as {says}, or change the channel"
    return f"the payload of the contract is {says}, not {takes}", f"annotate it as {says}, or change the contract"


def _free_mistakes(handler: Handler, parameter: Parameter, container: Container | None) -> Iterator[Mistake]:
    """The mistakes of a parameter of a route. Litestar can fill any type, but a service is certainly a mistake."""
    part = next((part for part in PARTS if parameter.is_a(part)), None)
    if part is not None and part != CONTEXT:
        yield parameter, f"{handler.kind.title} has no {_bare(part)}, only {PARTS[part]} has", "remove it"
    elif isinstance(parameter.at, Argument) and parameter.at.pos_only:
        yield parameter, "it is positional-only, but values of a request are passed by name", "remove the /"
    elif foreign_part(parameter.type) is not None and _is_service(parameter, container):
        found = "it is left of the *, where parameters come from the message, but it is a service"
        yield parameter, found, _star(parameter)


def _is_service(parameter: Parameter, container: Container | None) -> bool:
    provider = None if container is None else container.find(parameter.name)
    return provider is not None and provider.gives is not None and is_subtype(provider.gives, parameter.type)


def _star(parameter: Parameter) -> str:
    return f'put a bare * before "{parameter.name}"'


def _bare(fullname: str) -> str:
    return fullname.rpartition(".")[2]
