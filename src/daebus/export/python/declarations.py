"""The classes of the named types."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import inspect as shapes

from daebus.export.models import Fielded, Models, class_of, defaults_of, text_of, texts_of_fields

from .types import Annotations
from .values import expression, is_shared, quoted

__all__ = ["classes", "docstring", "field_names"]


_BLANK = "\n"


def field_names(models: Models) -> set[str]:
    """The names of all fields."""
    return {field.name for shape in models.named.values() if isinstance(shape, Fielded) for field in shape.fields}


def classes(models: Models, annotations: Annotations) -> Iterator[str]:
    """The classes, those first that are needed when others are defined."""
    for name, shape in models.named.items():
        if isinstance(shape, shapes.EnumType):
            yield _enum(name, shape)
    for name, shape in models.named.items():
        if isinstance(shape, Fielded):
            yield _class(name, shape, models, annotations)


def _enum(name: str, shape: shapes.EnumType) -> str:
    base = "IntEnum" if issubclass(shape.cls, int) else "StrEnum" if issubclass(shape.cls, str) else "Enum"
    cls: type[enum.Enum] = shape.cls
    members = "".join(f"    {one.name} = {quoted(one.value)}\n" for one in cls)
    about = docstring(text_of(cls))
    return f"class {name}({base}):\n{about}{about and _BLANK}{members}"


def _class(name: str, shape: Fielded, models: Models, annotations: Annotations) -> str:
    head = _HEADS[type(shape)].format(name, _options(shape))
    written = [f"    {_field(field, shape, models, annotations)}\n" for field in shape.fields]
    about = docstring(text_of(class_of(shape)), texts_of_fields(shape))
    blank = _BLANK if about and written else ""
    return f"{head}{about}{blank}{''.join(written)}" if about or written else f"{head}    pass\n"


_HEADS: Mapping[type[shapes.Type], str] = {
    shapes.NamedTupleType: "class {}(NamedTuple):\n",
    shapes.TypedDictType: "class {}(TypedDict):\n",
    shapes.DataclassType: "@dataclass\nclass {}:\n",
    shapes.StructType: "class {}(msgspec.Struct{}):\n",
}


def _options(shape: Fielded) -> str:
    """The options of a struct that change its form, as further arguments of the class."""
    if not isinstance(shape, shapes.StructType):
        return ""
    config = class_of(shape).__struct_config__
    given: dict[str, object] = {}
    if shape.tag_field is not None:
        given["tag"] = shape.tag
        if shape.tag_field != "type":
            given["tag_field"] = shape.tag_field
    for option in ("array_like", "forbid_unknown_fields", "omit_defaults", "frozen"):
        if getattr(config, option):
            given[option] = True
    if _is_out_of_order(shape):
        given["kw_only"] = True
    return "".join(f", {name}={quoted(value)}" for name, value in given.items())


def _is_out_of_order(shape: Fielded) -> bool:
    required = [field.required for field in shape.fields]
    return required != sorted(required, reverse=True)


def _field(field: shapes.Field, shape: Fielded, models: Models, annotations: Annotations) -> str:
    kind = annotations.write(field.type)
    if isinstance(shape, shapes.TypedDictType):
        return f"{field.name}: {kind if field.required else f'NotRequired[{kind}]'}"
    renamed = {"name": quoted(field.encode_name)} if field.encode_name != field.name else {}
    if field.required:
        return f"{field.name}: {kind}" + (_call("msgspec.field", renamed) if renamed else "")
    default = defaults_of(field)
    if default is msgspec.UNSET:
        kind += " | UnsetType"
    value = expression(default, models)
    if isinstance(shape, shapes.NamedTupleType):
        return f"{field.name}: {kind} = {value}"
    maker = "field" if isinstance(shape, shapes.DataclassType) else "msgspec.field"
    is_plain = is_shared(default) and not (maker == "field" and value in ("[]", "{}"))
    if is_plain and not renamed:
        return f"{field.name}: {kind} = {value}"
    given = {"default": value} if is_plain and value not in ("[]", "{}") else {"default_factory": f"lambda: {value}"}
    return f"{field.name}: {kind}{_call(maker, renamed | given)}"


def _call(function: str, arguments: Mapping[str, str]) -> str:
    return f" = {function}({', '.join(f'{name}={value}' for name, value in arguments.items())})"


def docstring(text: str, fields: Mapping[str, str] = {}, indent: str = "    ") -> str:
    """A docstring, with a line break at its end; empty if there is nothing to say."""
    listed = ["", "Attributes:", *(f"    {name}: {about}" for name, about in fields.items())] if fields else []
    lines: Sequence[str] = [*(text or "The fields." if fields else text).splitlines(), *listed]
    if not lines:
        return ""
    escaped = [line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for line in lines]
    if len(escaped) == 1:
        end = "\\" if escaped[0].endswith('"') else ""
        body = f'{escaped[0][:-1]}{end}"' if end else escaped[0]
        return f'{indent}"""{body}"""\n'
    body = "".join(f"{indent}{line}".rstrip() + "\n" for line in escaped[1:])
    return f'{indent}"""{escaped[0]}\n{body}{indent}"""\n'
