"""Media types of request bodies: what a handler of JSON or of a form refuses."""

from __future__ import annotations

import re
from http import HTTPStatus

from litestar.exceptions import HTTPException

from daebus.server.exchange import Headers

__all__ = ["no_json", "refuse_other_forms", "refuse_other_types"]

_JSON = re.compile(rb"\s*[^;]*[/+]json\s*(;|$)", re.IGNORECASE)


def refuse_other_types(headers: Headers) -> bool:
    """Refuse a body that is no JSON by its type; returns whether it has a type. Raises `HTTPException`.

    A browser sends some types, such as that of a form, and bodies without a type, for any page, without asking whether
    it may. That a body without a type is empty, and allowed, is known when it has been received.
    """
    for name, value in headers:
        if name == b"content-type":
            if value != b"application/json" and not _JSON.match(value):
                raise no_json(value.decode("latin-1"))
            return True
    return False


def no_json(given: str) -> HTTPException:
    """The error for a body that is no JSON by its type."""
    return HTTPException(
        f"The body is to be JSON, with the header Content-Type: application/json, not {given}",
        status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )


def refuse_other_forms(form: str, headers: Headers) -> None:
    """Refuse a body that is no form of this kind by its type, before it is read.

    Args:
        form: The media type.
        headers: Of the request.

    Raises:
        HTTPException: It is none, or has no type.
    """
    given, has_body = None, False
    for name, value in headers:
        if name == b"content-type":
            given = value.decode("latin-1")
        elif name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            has_body = True
    if given is None and not has_body:
        return
    if given is None or given.partition(";")[0].strip().lower() != form:
        raise HTTPException(
            f"The body is to be a form, with the header Content-Type: {form}, not {given or 'without it'}",
            status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
