"""Forms: whether a route takes its body as a form, and the allowed types of its fields. Loads no Litestar."""

from __future__ import annotations

import typing

from daebus.declare.paths import without_metadata
from daebus.declare.signatures import Parameter
from daebus.mistakes.show_type import show_type
from daebus.payloads.codec import UnsupportedTypeError, is_json_type, require_json_type

__all__ = ["find_unreadable", "is_form_with_files", "is_upload"]

_EITHER_OR = "a part of a form that may be a file cannot have another type, except None"
_ONE_BY_ONE = "give each part a field of its own in a msgspec.Struct, or take dict[str, object] and use isinstance(...)"
_HOW = "Annotated[{}, Body(media_type=RequestEncodingType.MULTI_PART)]"


def find_unreadable(parameter: Parameter) -> tuple[str, str] | None:
    """Why a body cannot be read, and the remedy; None: it can be read, or it has nothing to do with files.

    Args:
        parameter: The parameter ``data`` of a route.
    """
    annotation = without_metadata(parameter.annotation)
    try:
        require_json_type(annotation, is_upload)
    except UnsupportedTypeError as error:
        is_form = _is_form(parameter) or "UploadFile" in show_type(annotation)
        if is_form and "custom type" in str(error):  # in a union: every request would fail
            return f"{show_type(annotation)} cannot be decoded: {_EITHER_OR}", _ONE_BY_ONE
        return None  # whatever it is, no form has it
    if is_json_type(annotation) or _is_form(parameter):
        return None
    shown = show_type(annotation)
    found = f"a file is sent in a form, but {shown} is decoded from JSON"
    return found, f"annotate it as {_HOW.format(shown)}, with Body of litestar.params"


def is_form_with_files(parameter: Parameter) -> bool:
    """Whether a parameter takes a form body, and all its fields can be read."""
    try:
        require_json_type(without_metadata(parameter.annotation), is_upload)
    except UnsupportedTypeError:
        return False
    return _is_form(parameter)


def _is_form(parameter: Parameter) -> bool:
    annotation = parameter.annotation
    markers = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
    kinds = [str(getattr(marker, "media_type", "")) for marker in (*markers, parameter.default)]
    return any("multipart/form-data" in kind or "MULTI_PART" in kind for kind in kinds)


def is_upload(kind: type) -> bool:
    """Whether a type is a file in a form: Litestar's ``UploadFile``."""
    return any(base.__name__ == "UploadFile" and base.__module__.startswith("litestar.") for base in kind.__mro__)
