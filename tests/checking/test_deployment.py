"""``daebus check --deploy``: it lists what is unsafe in production, each with its place."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from litestar.config.cors import CORSConfig
from litestar.config.csrf import CSRFConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from tests.processes import daebus

from daebus import (
    Credentials,
    Daebus,
    DaebusHttp,
    DaebusWebSocket,
    Identity,
    ServiceContainer,
    Settings,
    SigningKeys,
)
from daebus.checking.deployment import find_unsafe
from daebus.checking.report import Report

SAFE = {"DAEBUS_REDIS_URL": "rediss://shop:secret@redis.example.com", "DAEBUS_EMBEDDED": "0"}


async def find_user(_: Credentials) -> str | None:
    return None


class Container(ServiceContainer):
    user = Identity(find_user)


def codes(app: Daebus[Container], environment: dict[str, str] = SAFE) -> list[str]:
    @app.route("/upload", methods=["POST"], request_max_body_size=1000)
    async def upload() -> None: ...

    return [problem.code for problem in find_unsafe(app.check(), environment)]


def make_app(http: DaebusHttp, *, settings: Settings | None = None) -> Daebus[Container]:
    keys = SigningKeys("k" * 32)
    app = Daebus("shop", container=Container(), settings=settings or Settings(signing_keys=keys))
    app.attach(http)
    return app


def test_a_safe_service() -> None:
    csrf = CSRFConfig(secret="s" * 32, cookie_secure=True)
    session = ServerSideSessionConfig(secure=True)
    http = DaebusHttp(allowed_hosts=["api.example.com"], csrf_config=csrf, middleware=[session.middleware])
    assert codes(make_app(http)) == []


def test_an_unsafe_service() -> None:
    cors = CORSConfig(allow_origins=["*"], allow_credentials=True)
    http = DaebusHttp(
        schema=True,
        debug=True,
        origins=["*"],
        cors_config=cors,
        csrf_config=CSRFConfig(secret="s" * 32),
        middleware=[ServerSideSessionConfig().middleware],
        request_max_body_size=None,
    )
    app = make_app(http, settings=Settings(legacy=True))
    app.attach(DaebusWebSocket(origins=["*"]))

    @app.route("/more", methods=["POST"], request_max_body_size=None)
    async def more() -> None: ...

    assert sorted(codes(app)) == [
        "any-host",
        "any-origin",
        "any-origin",
        "any-origin",
        "debug-mode",
        "insecure-cookie",
        "insecure-cookie",
        "old-protocol",
        "open-documentation",
        "unlimited-body",
        "unlimited-body",
        "unsigned-users",
    ]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ["no-server", "embedded-engine"]),
        ({**SAFE, "DAEBUS_LEGACY": "1", "DAEBUS_LOG_LEVEL": "debug"}, ["old-protocol", "debug-mode"]),
        ({**SAFE, "DAEBUS_REDIS_URL": "redis://redis:6379"}, ["unencrypted-server", "no-password"]),
        ({**SAFE, "DAEBUS_REDIS_URL": "redis://localhost"}, []),
        ({**SAFE, "DAEBUS_REDIS_URL": "unix:///run/valkey.sock"}, []),
        ({**SAFE, "DAEBUS_REDIS_URL": "http://redis"}, ["no-server"]),
    ],
)
def test_the_environment(environment: dict[str, str], expected: list[str]) -> None:
    assert codes(make_app(DaebusHttp(allowed_hosts=["api.example.com"])), environment) == expected


async def test_the_command(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "from daebus import Daebus, DaebusHttp\napp = Daebus('shop')\napp.attach(DaebusHttp(schema=True))\n"
        "@app.route('/ping')\nasync def ping() -> str:\n    return 'pong'\n"
    )
    url = SAFE["DAEBUS_REDIS_URL"]
    told = await daebus("check", f"{app}:app", "--deploy", redis_url=url)
    assert told.code == 1
    assert "warning[open-documentation]: DaebusHttp(...): schema=True shows all routes" in told.errors
    assert f"{app.name}:3" in told.errors
    assert "settings are unsafe in production." in told.errors
    assert (await daebus("check", f"{app}:app", redis_url=url)).code == 0
    as_json = await daebus("check", f"{app}:app", "--deploy", "--json", redis_url=url)
    report = msgspec.json.decode(as_json.output, type=Report)
    assert (as_json.code, report.ok) == (1, True)
    assert [one.code for one in report.unsafe][-2:] == ["open-documentation", "any-host"]
