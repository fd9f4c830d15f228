"""The module of contracts says all that the app says of them: exported once more, it is the same."""

from __future__ import annotations

import ast
import sys
from collections.abc import Generator, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, cast

import msgspec
import pytest
from tests.processes import EXAMPLES, daebus

from daebus import Action, Channel
from daebus.checking.examination import examine
from daebus.declare.contracts import Contract
from daebus.export.contracts import AppContracts, contracts_of
from daebus.export.python.files import Documented, documented, python

APPS = {
    "torture": (EXAMPLES.parent, "tests.export.torture:app"),
    "market": (EXAMPLES.parent, "tests.export.market:app"),
    "chat": (EXAMPLES / "chat", "chat.app:app"),
    "user_service": (EXAMPLES / "users", "app:app"),
    "shop": (EXAMPLES / "orders", "shop.app:app"),
    "warehouse": (EXAMPLES / "orders", "warehouse.app:app"),
}


@pytest.fixture(scope="module", params=APPS)
def contracts(request: pytest.FixtureRequest) -> Generator[AppContracts]:
    """The contracts of an app, whose modules are forgotten afterwards: two of them are called `app`."""
    folder, target = APPS[request.param]
    sys.path.insert(0, str(folder))
    try:
        yield contracts_of(examine(target, request.param).require())
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(EXAMPLES)):
                del sys.modules[name]


def load(text: str, folder: Path) -> ModuleType:
    file = folder / "contracts_of_others.py"
    file.write_text(text)
    spec = spec_from_file_location("contracts_of_others", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # where msgspec looks up annotations
    spec.loader.exec_module(module)
    return module


def described(module: ModuleType, text: str) -> Sequence[Documented]:
    """The contracts of a module, with the texts below their names."""
    found: list[Documented] = []
    body = ast.parse(text).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign) or not isinstance(name := statement.targets[0], ast.Name):
            continue
        said = ""
        if isinstance(following, ast.Expr) and isinstance(value := following.value, ast.Constant):
            said = str(value.value).strip()
        contract: object = getattr(module, name.id)
        assert isinstance(contract, Contract)
        found.append(Documented(contract, said))
    return found


def schemas(contracts: Sequence[Documented]) -> Sequence[object]:
    """The JSON Schemas of all types, without the names of generic types, which have one word in the module."""
    kinds = [kind for one in contracts for kind in one.contract.types]
    found, components = msgspec.json.schema_components(
        cast("list[Any]", kinds), schema_hook=lambda _: {"$comment": "any"}
    )
    return [_resolved(schema, components, ()) for schema in found]


def _resolved(schema: Any, components: Mapping[str, Any], seen: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_resolved(one, components, seen) for one in cast("Sequence[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    if "$ref" in fields:
        name = str(fields["$ref"]).rpartition("/")[2]
        return len(seen) - seen.index(name) if name in seen else _resolved(components[name], components, (*seen, name))
    has_parts = "properties" in fields or "prefixItems" in fields
    left_out = ("title", "description", "discriminator") if has_parts else ()
    return {name: _resolved(one, components, seen) for name, one in fields.items() if name not in left_out}


def test_exported_once_more_it_is_the_same(contracts: AppContracts, tmp_path: Path) -> None:
    given = documented(contracts)
    text = python(contracts.service, given)
    again = described(load(text, tmp_path), text)
    assert python(contracts.service, again) == text
    assert [(one.contract.name, one.contract.service, one.text) for one in again] == [
        (one.contract.name, one.contract.service, one.text) for one in given
    ]
    assert schemas(again) == schemas(given)


class Odd(msgspec.Struct, kw_only=True):
    '''It's "odd": a \\ and """.'''

    dt: int = 0
    bytes: Annotated[int, msgspec.Meta(description='It\'s "so".', extra_json_schema={"x-unit": "B"})]
    data: set[str] = set()
    pair: tuple[int, str] = (1, "'")


ODD = Action[Odd, dict[str, Odd]]("odd", service="s")
CHANNEL = Channel[Odd]("odd")


def test_names_and_texts_that_mean_something_in_python(tmp_path: Path) -> None:
    text = python("s", [Documented(ODD, 'ends with "'), Documented(CHANNEL, "")])
    module = load(text, tmp_path)
    assert (module.ODD, module.ODD_CHANNEL.name) == (module.ODD, "odd")
    assert python("s", described(module, text)) == text
    assert module.Odd.__doc__.startswith(Odd.__doc__)
    assert module.Odd(bytes=3) == msgspec.convert({"bytes": 3}, module.Odd)
    assert module.Odd(bytes=3).data == set()


class Sized(msgspec.Struct):
    """It has a size.

    Attributes:
        size: How large it is.
        key: Its key.
    """

    size: Annotated[int, msgspec.Meta(ge=1, description="In bytes.")]
    key: str


def test_the_description_of_a_field_is_said_once() -> None:
    text = python("s", [Documented(Action[Sized, None]("sized", service="s"), "")])
    assert "Attributes:\n        key: Its key.\n" in text
    assert "description='In bytes.'" in text.replace('"', "'")
    assert "How large it is" not in text


async def test_the_command_writes_a_module(tmp_path: Path) -> None:
    file = tmp_path / "torture_contracts.py"
    written = await daebus("export", "python", "tests.export.torture:app", "-o", str(file), redis_url="")
    shown = await daebus("export", "python", "tests.export.torture:app", redis_url="")
    assert (written.code, shown.code, shown.output) == (0, 0, file.read_text())
