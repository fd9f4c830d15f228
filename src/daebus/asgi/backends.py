"""Backends of Litestar that find the user of a request: what documents say of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

__all__ = ["Backend", "backends_of", "is_bypassed", "scheme_documents", "valid_scheme"]

_FIELDS: Mapping[str, Sequence[str]] = {
    "apiKey": ("in", "name"),
    "http": ("bearerFormat", "scheme"),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
"""The fields of each type of a security scheme in OpenAPI, besides its type and description."""


@runtime_checkable
class Backend(Protocol):
    """What daebus reads of Litestar's ``AbstractSecurityConfig``, without loading Litestar."""

    exclude: str | list[str] | None
    exclude_opt_key: str
    exclude_http_methods: Sequence[str] | None
    guards: object

    @property
    def openapi_components(self) -> Any:
        """Its part of the components of an OpenAPI document."""
        ...

    @property
    def security_requirement(self) -> Mapping[str, list[str]]:
        """What an operation needs, as an OpenAPI document says it."""
        ...


def backends_of(options: Mapping[str, object]) -> list[Backend]:
    """The backends in the options of a Litestar app: ``on_app_init=[jwt_auth.on_app_init]``."""
    hooks = cast("Sequence[object]", options.get("on_app_init") or ())
    found = [getattr(hook, "__self__", None) for hook in hooks]
    return [one for one in found if isinstance(one, Backend)]


def is_bypassed(backend: Backend, *, method: str, path: str, opt: Mapping[str, object]) -> bool:
    """Whether a backend lets the requests of a route through without a user.

    Args:
        backend: The backend.
        method: The method of the route.
        path: Its path.
        opt: Its values for guards and middleware.
    """
    given = backend.exclude or ()
    excluded = [given] if isinstance(given, str) else given
    is_open = any(re.search(pattern, path) for pattern in excluded)
    return is_open or method in (backend.exclude_http_methods or ()) or bool(opt.get(backend.exclude_opt_key))


def scheme_documents(backend: Backend) -> Iterator[tuple[str, dict[str, Any]]]:
    """The security schemes of a backend, valid in OpenAPI, by their names."""
    schemes: dict[str, Any] = backend.openapi_components.security_schemes or {}
    for name, scheme in schemes.items():
        yield name, valid_scheme(scheme.to_schema())


def valid_scheme(scheme: Mapping[str, Any]) -> dict[str, Any]:
    """A security scheme with the fields that its type has in OpenAPI: Litestar writes those of several types."""
    kind = str(scheme.get("type", ""))
    is_elsewhere = scheme.get("in") == "cookie" or str(scheme.get("name", "authorization")).lower() != "authorization"
    if kind not in _FIELDS:
        return dict(scheme)
    if kind == "http" and is_elsewhere:  # the token is in a cookie or in another header
        kind, scheme = "apiKey", {"in": "header", **scheme}
    elif kind == "http":
        scheme = {**scheme, "scheme": str(scheme["scheme"]).lower()}
    found: dict[str, Any] = {"type": kind} | {
        name: scheme[name] for name in ("description", *_FIELDS[kind]) if name in scheme
    }
    flows: dict[str, dict[str, Any]] = found.get("flows", {})
    for flow in flows.values():
        flow.setdefault("scopes", {})  # required
    return found
