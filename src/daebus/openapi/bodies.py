"""The bodies that a signature does not show: those that a handler reads as they arrive, files, and MessagePack."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import CodeType

from daebus.asgi.msgpack import MESSAGE_PACK
from daebus.declare.paths import BODILESS
from daebus.declare.signatures import Signature
from daebus.declare.specs import RouteSpec
from daebus.mistakes.places import unwrap
from daebus.payloads.schemas import Json

__all__ = ["correct_downloads", "offer_msgpack", "uploaded"]

_PARTS = {"type": "object", "additionalProperties": True}


def uploaded(spec: RouteSpec, signature: Signature) -> Json | None:
    """The body of a request that the handler reads part by part, from its `request`; None: it reads none.

    Args:
        spec: The route.
        signature: The signature of the handler.
    """
    if not any(one.name == "request" for one in signature.left) or set(spec.methods) <= set(BODILESS):
        return None
    code = getattr(unwrap(spec.function), "__code__", None)
    names = set(code.co_names) if isinstance(code, CodeType) else set[str]()
    if "read_parts" in names:
        return {"required": True, "content": {"multipart/form-data": {"schema": _PARTS}}}
    # By OpenAPI 3.1, binary data has no schema.
    return {"required": True, "content": {"application/octet-stream": {}}} if "stream" in names else None


def correct_downloads(operation: Json) -> None:
    """Correct what Litestar says of a `File`: its media type may be any, and its time is no date of JSON Schema."""
    for response in operation.get("responses", {}).values():
        content = response.get("content", {})
        if "" in content:
            content["*/*"] = {key: value for key, value in content.pop("").items() if key != "schema"}
        changed = response.get("headers", {}).get("last-modified", {}).get("schema", {})
        changed.pop("format", None)


def offer_msgpack(operations: Iterable[Json]) -> None:
    """Add MessagePack to all bodies and answers in JSON, with the same schemas."""
    for operation in operations:
        bodies = [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
        for content in (body.get("content", {}) for body in bodies):
            shown = next((content[media] for media in content if re.search(r"[/+]json$", media)), None)
            if shown is not None:
                content.setdefault(MESSAGE_PACK, shown)
