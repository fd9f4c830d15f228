"""What each change of the table means for those who compile a client of it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.clients.conftest import export
from tests.export.changes import CHANGES, Change
from tests.export.test_export_changes import thing
from tests.processes import EXAMPLES

from daebus.export.models import Models
from daebus.export.typescript.declarations import declarations
from daebus.export.typescript.types import RESERVED, VALUES, Types

EXAMPLE_APPS = (
    (".", "tests.export.market:app", "market"),
    (".", "tests.guide.files:app", "files"),
    (".", "tests.guide.metrics:app", "metrics"),
    ("examples/chat", "chat.app:app", "chat"),
    ("examples/users", "app:app", "user_service"),
    ("examples/orders", "shop.app:app", "shop"),
    ("examples/orders", "warehouse.app:app", "warehouse"),
)
OPTIONS = {
    "compilerOptions": {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "erasableSyntaxOnly": True,
        "noUncheckedIndexedAccess": True,
        "noEmit": True,
        "allowImportingTsExtensions": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        "lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
        "types": [],
    }
}
CLIENT = {
    "compilerOptions": {**OPTIONS["compilerOptions"], "noUnusedLocals": True, "noUnusedParameters": True},
    "include": ["**/*.ts"],
}
"""The options for an exported client: projects may set all of them."""


def write_program(folder: Path, change: Change, source: str) -> None:
    """The types of a source, and the program that was written for the old ones."""
    kind = thing(source)
    types = Types(Models([kind], RESERVED))
    folder.mkdir()
    imported = f"import type {{ {', '.join(VALUES)} }} from '../daebus/values.ts';\n"
    (folder / "contracts.ts").write_text(imported + "\n".join(declarations(types)))
    name = types.of(kind, sent=change.side == "sent")
    body = f"export const it: {name} = {change.value};" if change.side == "sent" else change.reads
    use = "declare function use<T>(value: T): void;\n" if change.side == "received" else ""
    program = f"export function read(it: {name}): void {{ {body} }}" if change.side == "received" else body
    (folder / "program.ts").write_text(f"import type {{ {name} }} from './contracts.ts';\n{use}{program}\n")


def compile_all(folder: Path, tsc: Sequence[str]) -> str:
    """What the compiler says of a client and the programs beside it."""
    (folder / "tsconfig.json").write_bytes(msgspec.json.encode(CLIENT))
    return subprocess.run([*tsc, "-p", "."], cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.fixture(scope="module")
def refused(client: Path, tsc: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the compiler says of all programs, each with the old types and with the new ones."""
    folder = tmp_path_factory.mktemp("changes")
    (folder / "daebus").symlink_to(client / "daebus")
    for number, change in enumerate(CHANGES):
        write_program(folder / f"before{number}", change, change.before)
        write_program(folder / f"after{number}", change, change.after)
    (folder / "tsconfig.json").write_bytes(msgspec.json.encode({**OPTIONS, "include": ["*/*.ts"]}))
    return subprocess.run([*tsc, "-p", "."], cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=[change.name for change in CHANGES])
def test_the_compiler_finds_the_change_as_the_table_says(refused: str, number: int) -> None:
    assert f"before{number}/" not in refused
    assert (f"after{number}/program.ts" not in refused) is CHANGES[number].compiles, refused


@pytest.mark.parametrize(("folder", "target", "service"), EXAMPLE_APPS)
def test_the_clients_of_the_examples_compile(
    folder: str, target: str, service: str, tsc: list[str], tmp_path: Path
) -> None:
    export(target, tmp_path, cwd=EXAMPLES.parent / folder, service=service)
    assert compile_all(tmp_path, tsc) == ""


def test_the_client_and_all_programs_compile(client: Path, tsc: list[str]) -> None:
    assert compile_all(client, tsc) == ""
