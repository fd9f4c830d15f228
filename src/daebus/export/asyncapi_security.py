"""Who may send a message, as the AsyncAPI document says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from daebus.asgi.backends import Backend, is_bypassed, scheme_documents
from daebus.identity.schemes import document_of, key_of
from daebus.payloads.schemas import Json

from .contracts import About

__all__ = ["SecurityDocument"]

_USER = "user"
_FORWARDED: Json = {
    "type": "httpApiKey",
    "name": "daebus-user",
    "in": "header",
    "description": "The user for whom a service sends the message: a JWS, signed by the service.",
}


class SecurityDocument:
    """The security schemes of a document, and what its operations need of them.

    Args:
        backends: The Litestar backends of the app.
        path: The path of its WebSocket; None: it has none.

    Attributes:
        schemes: The schemes that the operations name.
    """

    def __init__(self, backends: Iterable[Backend], path: str | None) -> None:
        self.schemes: dict[str, Json] = {}
        self._of_backends = {
            name: scheme
            for backend in backends
            if path is not None and not is_bypassed(backend, method="GET", path=path, opt={})
            for name, scheme in scheme_documents(backend)
        }

    def on_bus(self, about: About) -> Json:
        """What an operation on the bus needs: the user whom a service forwards, or credentials in the headers."""
        if about.needs is None or not about.refuses_strangers:
            return {}
        forwarded = {_USER: _FORWARDED} if about.needs.forwards else {}
        schemes = [scheme for scheme in about.needs.schemes if scheme.kind != "cookie"]
        return self._needed({**forwarded, **{key_of(one): document_of(one, "httpApiKey") for one in schemes}})

    def on_socket(self, about: About) -> Json:
        """What an operation of a WebSocket needs, in the handshake or in a message."""
        needs = about.needs
        if self._of_backends and (needs is None or not needs.has_schemes):
            return self._needed({name: _as_asyncapi(one) for name, one in self._of_backends.items()})
        if needs is None or not about.refuses_strangers:
            return {}
        return self._needed({key_of(one): document_of(one, "httpApiKey") for one in needs.schemes})

    def _needed(self, schemes: Mapping[str, Json]) -> Json:
        self.schemes |= schemes
        return {"security": [{"$ref": f"#/components/securitySchemes/{key}"} for key in schemes]} if schemes else {}


def _as_asyncapi(scheme: Json) -> Json:
    """A security scheme of OpenAPI in the words of AsyncAPI.

    The flows of OAuth need absolute URLs there, which a service does not know of itself; its tokens are bearer tokens.
    """
    if scheme["type"] == "oauth2":
        return {"type": "http", "scheme": "bearer"}
    return {**scheme, "type": "httpApiKey" if scheme["type"] == "apiKey" else scheme["type"]}
