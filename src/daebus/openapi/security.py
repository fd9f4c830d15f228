"""Who may send a request, as the OpenAPI document says it: security schemes, and the errors 401 and 403."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import cast

from daebus.asgi.backends import backends_of, is_bypassed, valid_scheme
from daebus.identity.needs import user_needs
from daebus.identity.schemes import SecurityScheme, document_of, key_of
from daebus.payloads.schemas import Json

from .errors import FORBIDDEN, UNAUTHORIZED, problem_response
from .routes import DocumentedRoute

__all__ = ["Security"]


class Security:
    """What the operations of a document say of users.

    Args:
        document: The document.
        settings: The options of the Litestar app.
    """

    def __init__(self, document: Json, settings: Mapping[str, object]) -> None:
        self._of_app: Sequence[Json] = document.get("security") or ()
        self._backends = backends_of(settings)
        self._has_guards = bool(settings.get("guards")) or any(backend.guards for backend in self._backends)
        self._schemes: dict[str, Json] = document.setdefault("components", {}).setdefault("securitySchemes", {})
        for name, scheme in self._schemes.items():
            self._schemes[name] = valid_scheme(scheme)

    def describe(self, operation: Json, route: DocumentedRoute, *, method: str, path: str) -> None:
        """Say who may send the requests of an operation, unless its route says that itself."""
        options, needs = route.spec.options, user_needs(route.endpoint)
        opt = cast("Mapping[str, object]", options.get("opt") or {})
        passed = [one for one in self._backends if is_bypassed(one, method=method, path=path, opt=opt)]
        if "security" not in options:
            if needs.refuses_strangers is not None and (needs.has_schemes or not self._of_app):
                operation["security"] = [self._requirement(schemes) for schemes in needs.alternatives]
            elif self._of_app:
                open_to = [dict(one.security_requirement) for one in passed]
                operation["security"] = [one for one in self._of_app if one not in open_to]
        if needs.refuses_strangers or len(passed) < len(self._backends):
            operation["responses"].setdefault("401", problem_response(UNAUTHORIZED))
        if route.spec.requires or self._has_guards or options.get("guards"):
            operation["responses"].setdefault("403", problem_response(FORBIDDEN))

    def _requirement(self, schemes: Collection[SecurityScheme]) -> Json:
        """What a request has to have; the schemes are added to the document."""
        for scheme in schemes:
            self._schemes.setdefault(key_of(scheme), document_of(scheme, "apiKey"))
        return {key: [] for key in sorted(key_of(scheme) for scheme in schemes)}
