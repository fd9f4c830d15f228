"""Connections over TLS: one context serves them all, until its files are replaced."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trustme
from tests.engines import Engine, Proxy, open_proxy

from daebus.connection.redis_server import RedisServer
from daebus.errors import StartupError


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncGenerator[Proxy]:
    """A server behind TLS; `ca.pem` in the folder has its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # it also takes pyOpenSSL's
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Engine(tmp_path / "engine") as engine:
        async with open_proxy(engine.port, tls=context) as opened:
            yield opened


async def test_all_connections_share_a_context_until_its_files_are_replaced(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []

    def create_context() -> ssl.SSLContext:
        made.append(created())
        return made[-1]

    created = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", create_context)
    url = f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}"

    for server in (RedisServer.from_url(url), RedisServer.from_url(url)):
        await server.check()
        await server.check()
    assert len(made) == 1

    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with pytest.raises(StartupError, match="has a certificate that is not accepted"):
        await server.check()
    assert len(made) == 2


async def test_other_options_have_another_context(proxy: Proxy, tmp_path: Path) -> None:
    await RedisServer.from_url(f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}").check()
    await RedisServer.from_url(f"rediss://127.0.0.1:{proxy.port}/0?ssl_cert_reqs=none").check()
    with pytest.raises(StartupError, match="has a certificate that is not accepted"):
        await RedisServer.from_url(f"rediss://127.0.0.1:{proxy.port}/0").check()
