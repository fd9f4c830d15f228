"""Media types of request bodies, and the refusal of wrong types by handlers of JSON and of forms."""

from __future__ import annotations

import re
from http import HTTPStatus

from litestar.exceptions import HTTPException
from litestar.types import AsyncAnyCallable

from daebus.server.draining import Headers

from .problems import AnyRequest

__all__ = ["checking_form", "no_json", "refuse_other_forms", "refuse_other_types"]

_JSON = re.compile(rb"\s*[^;]*[/+]json\s*(;|$)", re.IGNORECASE)


def refuse_other_types(headers: Headers) -> bool:
    """Refuse a body whose type is not JSON; returns whether it has a type. Raises `HTTPException`.

    For any page, a browser sends bodies without a type, and of some types such as forms, without a CORS preflight. A
    body without a type is allowed only if it is empty, which is known after it was received.
    """
    for name, value in headers:
        if name == b"content-type":
            if value != b"application/json" and not _JSON.match(value):
                raise no_json(value.decode("latin-1"))
            return True
    return False


def no_json(given: str) -> HTTPException:
    """The error for a body whose type is not JSON."""
    return HTTPException(
        f"The body must be JSON, with the header Content-Type: application/json, not {given}",
        status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )


def refuse_other_forms(form: str, headers: Headers) -> None:
    """Refuse a body whose type is not this kind of form, before it is read.

    Args:
        form: The media type.
        headers: The headers of the request.

    Raises:
        HTTPException: The body has another type or no type.
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
            f"The body must be a form, with the header Content-Type: {form}, not {given or 'without it'}",
            status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def checking_form(form: str, before: AsyncAnyCallable | None) -> AsyncAnyCallable:
    """The function that Litestar calls before it reads a form: the user's hook, then a check of the body's type."""

    async def check(request: AnyRequest) -> object:
        answer = None if before is None else await before(request)
        if not answer:
            refuse_other_forms(form, request.scope["headers"])
        return answer

    return check
