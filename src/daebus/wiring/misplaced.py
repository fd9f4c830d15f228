"""Parameters on the wrong side of the ``*``: services left of it, and parts of the message right of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dependency_injector import containers

from daebus.core.context import Context
from daebus.declare.signatures import MISSING, Parameter, Signature
from daebus.mistakes.problem import WiringProblem
from daebus.mistakes.render import Note
from daebus.mistakes.show_type import show_type
from daebus.mistakes.suggestions import closest
from daebus.payloads.codec import is_json_type

from .lookup import find_fitting, is_simple, name_of, offer, offered, provider_note
from .provided_types import UNKNOWN, fits, yielded_type
from .rules import Rule

__all__ = ["find_service", "from_message", "report_services", "report_stranger"]

_LONGEST = 100


def find_service(container: containers.Container, parameter: Parameter, *, sure: bool) -> str | None:
    """The provider that a parameter left of the ``*`` means, if the ``*`` was forgotten; None: it means none.

    Args:
        container: The container.
        parameter: The parameter.
        sure: Whether it can only be a service; otherwise both its name and its (user-defined) type must match.
    """
    name, wanted = parameter.name, parameter.annotation
    given = yielded_type(container.providers[name]) if name in offered(container) else MISSING
    if not sure:
        return name if not is_simple(wanted) and given is not UNKNOWN and given == wanted else None
    if name in offered(container) and fits(given, wanted):
        return name
    return None if wanted is MISSING else next(find_fitting(container, wanted), None)


def report_services(
    signature: Signature, container: containers.Container, services: Mapping[str, str]
) -> Iterator[WiringProblem]:
    """One problem for all the services left of the ``*``; `services` has their providers by name."""
    misplaced = [parameter for parameter in signature.left if parameter.name in services]
    for parameter in misplaced[:1]:
        path = services[parameter.name]
        others = "".join(f", and so is {other.name!r}" for other in misplaced[1:])
        shown = [_injected(one, services[one.name], container) for one in misplaced]
        left = [str(one) for one in signature.left if one.name not in services]
        right = [*shown, *map(str, signature.right)]
        name_it = "" if path == parameter.name or "." in path else f", and name it {path!r}"
        yield signature.problem(
            parameter,
            f"it is left of the *, where parameters come from the message, but it is a service{others}",
            f"put a bare * before it{name_it}: {_header(signature, left, right, shown)}",
            code="forgotten-star",
            notes=[provider_note(container, path, f"{name_of(container)} provides {path!r}")],
        )


def report_stranger(signature: Signature, parameter: Parameter, rule: Rule) -> WiringProblem | None:
    """The problem of a parameter that only other kinds of handlers can have."""
    for kind, (owners, remedy) in rule.strangers.items():
        if parameter.annotation is kind:
            found = f"{rule.kind} has no {kind.__name__}: only {owners} have one"
            return signature.problem(parameter, found, remedy, code="wrong-part")
    return None


def from_message(
    signature: Signature, container: containers.Container, rule: Rule, *, payload: Parameter | None
) -> dict[str, WiringProblem]:
    """Problems of parts of the message right of the ``*``, by name; `payload` is the one left of it."""
    found: dict[str, WiringProblem] = {}
    for parameter in signature.right:
        name, annotation = parameter.name, parameter.annotation
        if name in container.providers or parameter.default is not MISSING:
            continue
        stranger = report_stranger(signature, parameter, rule)
        if stranger is not None:
            found[name] = stranger
        elif annotation is Context or rule.is_part(annotation) or name in rule.reserved:
            what = repr(name) if name in rule.reserved else show_type(annotation)
            text = f"{what} comes from the message, not from the container"
            found[name] = _misplaced(signature, parameter, text, [])
        elif payload is None and not found and _is_payload(container, parameter, rule):
            text = f"it is right of the *, but {name_of(container)} has no provider {name!r}"
            found[name] = _misplaced(signature, parameter, text, [] if rule.contract else [offer(container)])
    return found


def _is_payload(container: containers.Container, parameter: Parameter, rule: Rule) -> bool:
    """Whether a parameter right of the ``*`` is the payload, rather than a service whose name is misspelt."""
    name, annotation = parameter.name, parameter.annotation
    if rule.payload is None or annotation is MISSING:
        return False
    if rule.contract:
        return fits(rule.contract[0], annotation)
    if closest(name, offered(container)) is not None or any(find_fitting(container, annotation)):
        return False
    return is_json_type(annotation)


def _misplaced(signature: Signature, parameter: Parameter, found: str, notes: Sequence[Note]) -> WiringProblem:
    left = [*map(str, signature.left), str(parameter)]
    right = [str(other) for other in signature.right if other is not parameter]
    remedy = f"move it left of the *: {_header(signature, left, right, [str(parameter)])}"
    return signature.problem(parameter, found, remedy, code="misplaced-payload", notes=notes)


def _injected(parameter: Parameter, path: str, container: containers.Container) -> str:
    """The code of a parameter right of the ``*``."""
    if "." in path:
        return f"{parameter} = use({name_of(container)}.{path})"
    return path if parameter.annotation is MISSING else f"{path}: {show_type(parameter.annotation)}"


def _header(signature: Signature, left: Sequence[str], right: Sequence[str], moved: Sequence[str]) -> str:
    """The corrected signature; if it is long, only the moved parameters."""
    star = ["*", *right] if right else []
    written = f"{signature.name}({', '.join([*left, *star])})"
    if len(written) <= _LONGEST:
        return written
    return f"{signature.name}(..., *, {', '.join(moved)}, ...)" if moved[0] in right else f"{moved[0]}, *, ..."
