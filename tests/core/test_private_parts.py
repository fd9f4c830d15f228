"""What daebus uses of libraries beyond their documented interface: it is there, and where it is not, that is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from granian.server.embed import Server
from litestar.handlers import HTTPRouteHandler
from redis.asyncio import Connection
from tests.support import hide_part

import daebus
from daebus import Daebus, DaebusHttp
from daebus.connection.redis_server import REDIS
from daebus.core.private_parts import find, missing, require
from daebus.errors import StartupError
from daebus.http.litestar_internals import FAST_PATH, REQUIRED
from daebus.server.granian_server import GRANIAN
from daebus.testing import running


@pytest.mark.parametrize("parts", [GRANIAN, REQUIRED, FAST_PATH, REDIS])
def test_the_installed_versions_have_all_of_them(parts: Sequence[str]) -> None:
    assert missing(parts) == []


@pytest.mark.parametrize(
    ("part", "is_there"),
    [
        ("msgspec.json:Decoder.decode", True),
        ("msgspec.json:Decoder.no_such_thing", False),
        ("msgspec.json:NoSuchThing.decode", False),
        ("no_such_module:thing", False),
        ("daebus.core.private_parts:find(part)", True),
        ("daebus.core.private_parts:find(name)", False),
        ("daebus.core.private_parts:require(library, parts)", True),
        ("daebus.core.private_parts:require(library)", False),
        ("daebus.app.service:Daebus.attach(component)", True),
        ("daebus:Daebus.__doc__(component)", False),
    ],
)
def test_a_part_is_found_by_its_name_and_its_parameters(part: str, *, is_there: bool) -> None:
    assert (find(part) is not None) is is_there
    assert missing([part]) == ([] if is_there else [part])


def test_each_list_stands_beside_the_only_module_that_may_need_it() -> None:
    """Litestar's private modules are named nowhere else, not even as text; ruff sees to what is imported."""
    root = Path(daebus.__file__).parent
    named = [path for path in root.rglob("*.py") if "litestar._" in path.read_text("utf-8")]
    assert [str(path.relative_to(root)) for path in named] == ["http/litestar_internals.py"]


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (Server, "_init_shared_socket", "granian .* has no granian.server.embed.Server._init_shared_socket"),
        (Connection, "_writer", "redis .* has no redis.asyncio.Connection._writer"),
        (HTTPRouteHandler, "resolve_guards", "litestar .* has no litestar.handlers.HTTPRouteHandler.resolve_guards"),
    ],
)
async def test_without_one_that_is_needed_the_start_is_refused_with_one_line(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, told: str
) -> None:
    hide_part(monkeypatch, f"{owner.__name__}.{name}")
    app = Daebus("shop")
    app.attach(DaebusHttp(port=0))
    with pytest.raises(StartupError, match=told) as caught:
        async with running(app):
            pass
    assert "\n" not in str(caught.value)
    assert "pip install" in str(caught.value)


def test_a_library_is_named_with_its_version() -> None:
    with pytest.raises(StartupError, match=r"^redis \d.* has no redis.asyncio.Nothing, which daebus uses"):
        require("redis", ["redis.asyncio:Nothing"])
