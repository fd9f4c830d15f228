"""The common base of blueprints and apps: a name and the recorded handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daebus.errors import WiringError
from daebus.mistakes.places import call_site, caller_namespace
from daebus.mistakes.problem import WiringProblem

from .decorated import undecorated
from .decorators import Record
from .deferring import collect
from .options import refuse, require_function, require_name, require_seconds
from .specs import Spec

__all__ = ["Recording"]

AnyHandler = Callable[..., object]


class Recording:
    """Collects the recorded handlers until it is closed.

    Args:
        name: The name of the blueprint or app.
        prefix: Put before the path of each route.
        namespace: Put before the string names of actions and socket types, with a dot.
    """

    def __init__(self, name: str, *, prefix: str = "", namespace: str = "") -> None:
        self.name = name
        collect(lambda: _check(type(self).__name__, name, prefix, namespace), None)
        self._prefix = prefix.rstrip("/")
        self._namespace = f"{namespace}." if namespace else ""
        self._specs: list[Spec] = []
        self._closed: str | None = None

    def _close(self, reason: str) -> None:
        """Refuse handlers from now on, for a reason such as "it was registered in app.py:12"."""
        self._closed = self._closed or reason

    def _take_over(self, other: Recording, reason: str) -> Sequence[Spec]:
        """Close another recorder; returns its handlers, in the order in which they were recorded."""
        other._close(reason)
        return tuple(other._specs)

    def _record(self, spec: Spec) -> None:
        subject = f"{spec.title} of {self.name!r}"
        require_function(subject, spec.function)
        if self._closed is not None:
            found = f"it comes too late: {self._closed}"
            remedy = "define every handler before its blueprint is registered"
            raise WiringError(WiringProblem(spec.place, subject, found, remedy, code="too-late"))
        self._specs.append(spec)

    def _recording(self, make: Callable[..., Spec], title: str, timeout: float | None) -> Record:
        """Record the spec that `make` builds for a handler. `timeout` is in seconds; None: no limit."""
        if timeout is not None:
            require_seconds(title, "timeout", timeout)
        namespace, site = caller_namespace(), call_site()

        def record(handler: AnyHandler) -> None:
            spec = make(
                function=undecorated(handler), blueprint=self.name, namespace=namespace, site=site, timeout=timeout
            )
            self._record(spec)

        return record


def _check(kind: str, name: object, prefix: str, namespace: str) -> None:
    """Refuse names of a blueprint or an app that can never work. Raises `WiringError`."""
    if not isinstance(name, str) or not name:
        raise refuse(f"{kind}({name!r})", f"the name is {name!r}", f'write {kind}("the_name")', "wrong-name")
    if namespace:
        require_name(f"{name!r}, namespace={namespace!r}", namespace)
    if prefix and not prefix.startswith("/"):
        found = "the prefix does not begin with a slash"
        raise refuse(f"{name!r}, prefix={prefix!r}", found, f"write prefix={'/' + prefix!r}", "malformed-path")
